import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SegmentId } from '@hls-uplink/protocol';
import { ConfigError, errorCode, sleep, type Clock } from '@hls-uplink/runtime';
import { makeFolder } from './folder.js';
import type { FileFacts } from './spool-files.js';

/** When there is no room. */
const LOOK_AGAIN_MS = 500;
const NAME = /^([0-9a-f]{32})-(\d+)\.ts$/;
const nameOf = ({ session, index }: SegmentId): string => `${session}-${index}.ts`;

/** One body as it arrives. */
export interface Receiver {
  write(chunk: Uint8Array): Promise<void>;
  /** Makes it durable under its name when size and CRC are right. @returns its path, or what is wrong with it */
  finish(): Promise<{ ok: true; path: string } | { ok: false; reason: string }>;
  /** It will not be finished. */
  discard(): Promise<void>;
}

/**
 * The uploader's own spool: bytes that came over the socket, and copies of legacy files, until their final answer. A
 * file appears under its name only when whole and on disk.
 */
export class OwnSpool {
  readonly #sizes = new Map<string, number>();
  #bytes = 0;
  #reserved = 0;

  private constructor(readonly folder: string) {}

  /**
   * @param keep whether the journal still names this one; the rest is what crashes left
   * @throws ConfigError `journal-unwritable`
   */
  static async open(folder: string, keep: (id: SegmentId) => boolean): Promise<OwnSpool> {
    const spool = new OwnSpool(folder);
    try {
      await makeFolder(folder);
      for (const name of await readdir(folder)) {
        const [, session, index] = NAME.exec(name) ?? [];
        if (session !== undefined && keep({ session, index: Number(index) })) await spool.#adopt(name);
        else await unlink(join(folder, name));
      }
    } catch (cause) {
      throw new ConfigError(
        'journal-unwritable',
        `cannot use the spool folder ${folder}: give --journal a folder that this user can write to`,
        { cause },
      );
    }
    return spool;
  }

  /** All that it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Room for bytes that are to come, within `limit` for all; a single one always has room.
   * @returns what gives it back, to be called once when they are here (then they count themselves) or will not come;
   * nothing when there is no room
   */
  reserve(bytes: number, limit: number): (() => void) | undefined {
    const taken = this.#bytes + this.#reserved;
    if (taken > 0 && taken + bytes > limit) return undefined;
    this.#reserved += bytes;
    return () => {
      this.#reserved -= bytes;
    };
  }

  /**
   * As `reserve`, but waits until there is room.
   * @param full told again and again meanwhile
   * @returns nothing when it was aborted before
   */
  async room(
    bytes: number,
    limit: number,
    { clock, signal, full }: { clock: Clock; signal: AbortSignal; full: (isFirst: boolean) => void },
  ): Promise<(() => void) | undefined> {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const giveBack = this.reserve(bytes, limit);
      if (giveBack) return giveBack;
      full(isFirst);
      await sleep(clock, LOOK_AGAIN_MS, signal);
    }
    return undefined;
  }

  /** The path of this one's bytes, when they are here. */
  pathOf(id: SegmentId): string | undefined {
    const name = nameOf(id);
    return this.#sizes.has(name) ? join(this.folder, name) : undefined;
  }

  /** @throws the system's error when the disk takes no more */
  async receive(id: SegmentId, facts: FileFacts): Promise<Receiver> {
    const temporary = join(this.folder, `.${randomUUID()}.part`);
    const handle = await open(temporary, 'wx', 0o640);
    let at = 0;
    let crc = 0;
    let closed = false;
    const discard = async (): Promise<void> => {
      if (closed) return;
      closed = true;
      await handle.close();
      await unlink(temporary).catch(ignoreMissing);
    };
    return {
      discard,
      write: async (chunk) => {
        await writeAll(handle, chunk, at);
        crc = crc32(chunk, crc);
        at += chunk.length;
      },
      finish: async () => {
        const good = at === facts.bytes && crc === facts.crc32;
        if (!good) {
          await discard();
          const reason =
            at === facts.bytes
              ? 'its CRC-32 is not the announced one'
              : `${at} bytes instead of ${facts.bytes}`;
          return { ok: false, reason };
        }
        const name = nameOf(id);
        try {
          await handle.sync();
          await rename(temporary, join(this.folder, name));
        } catch (error) {
          await discard();
          throw error;
        }
        closed = true;
        this.#count(name, facts.bytes);
        await handle.close();
        await this.#sync();
        return { ok: true, path: join(this.folder, name) };
      },
    };
  }

  /** The bytes are those of another one after all. @returns the new path */
  async rename(from: SegmentId, to: SegmentId): Promise<string> {
    const path = join(this.folder, nameOf(to));
    await rename(join(this.folder, nameOf(from)), path);
    await this.#sync();
    const bytes = this.#sizes.get(nameOf(from)) ?? 0;
    this.#sizes.delete(nameOf(from));
    this.#sizes.set(nameOf(to), bytes);
    return path;
  }

  /** After the final answer. One that is not here is success. */
  async remove(id: SegmentId): Promise<void> {
    const name = nameOf(id);
    const bytes = this.#sizes.get(name);
    if (bytes === undefined) return;
    this.#sizes.delete(name);
    this.#bytes -= bytes;
    await unlink(join(this.folder, name)).catch(ignoreMissing);
  }

  async #adopt(name: string): Promise<void> {
    const handle = await open(join(this.folder, name), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      this.#count(name, (await handle.stat()).size);
    } finally {
      await handle.close();
    }
  }

  #count(name: string, bytes: number): void {
    this.#bytes += bytes - (this.#sizes.get(name) ?? 0);
    this.#sizes.set(name, bytes);
  }

  async #sync(): Promise<void> {
    const folder = await open(this.folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, at + done);
    done += bytesWritten;
  }
}
