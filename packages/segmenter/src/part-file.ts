import { closeSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { errorText } from '@hls-uplink/runtime';
import type { Disk } from './disk.js';

/** From so many bytes on a run is written as it lies, without being copied first. */
const DIRECT_BYTES = 40 * 1024;
/** Copied bytes are summed up so often: while they are in the cache. */
const SUM_BYTES = 64 * 1024;
const MODE = 0o644;

export interface PartFileResult {
  bytes: number;
  /** CRC-32 as zlib, unsigned. */
  crc32: number;
}

/**
 * A file being written without holding up the event loop. On a disk, bytes are copied into large buffers, the pool
 * writes them in order and syncs at the end; in memory they are written at once. After an error, or when the disk is
 * stuck, the rest is thrown away and the file removed.
 */
export class PartFile {
  /** Bytes appended. */
  bytes = 0;
  #crc = 0;
  #buffer: Buffer | undefined;
  #filled = 0;
  /** Bytes of the buffer that are in the CRC-32. */
  #summed = 0;
  readonly #medium: Medium;

  constructor(
    readonly path: string,
    private readonly disk: Disk,
  ) {
    this.#medium = disk.inMemory ? new MemoryMedium(path, disk) : new DiskMedium(path, disk);
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    this.bytes += to - from;
    if (this.#medium.failure) return;
    if (this.disk.inMemory && to - from >= DIRECT_BYTES) {
      this.#submit();
      this.#crc = crc32(bytes.subarray(from, to), this.#crc);
      this.#medium.write(bytes, from, to);
      return;
    }
    let at = from;
    while (at < to) {
      this.#buffer ??= this.disk.buffer();
      const taken = Math.min(to - at, this.#buffer.length - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled - this.#summed >= SUM_BYTES) this.#sum();
      if (this.#filled === this.#buffer.length) this.#submit();
    }
  }

  /**
   * Writes the rest and syncs. No more appends after it.
   *
   * @throws Error saying which file could not be written, and why
   */
  async finish(): Promise<PartFileResult> {
    this.#submit();
    await this.#medium.finish();
    return { bytes: this.bytes, crc32: this.#crc };
  }

  /** Gives up the file. */
  async discard(): Promise<void> {
    await this.#medium.discard();
  }

  #sum(): void {
    this.#crc = crc32(this.#buffer!.subarray(this.#summed, this.#filled), this.#crc);
    this.#summed = this.#filled;
  }

  #submit(): void {
    const buffer = this.#buffer;
    if (!buffer) return;
    if (this.#filled > this.#summed) this.#sum();
    const length = this.#filled;
    this.#buffer = undefined;
    this.#filled = 0;
    this.#summed = 0;
    this.#medium.write(buffer, 0, length, buffer);
  }
}

/** Where the bytes of one file go. */
interface Medium {
  /** Nothing more is taken after it. */
  readonly failure: Error | undefined;
  /** Takes `bytes[from, to)`. They may be reused at once, except those of a buffer of the disk, which it recycles. */
  write(bytes: Uint8Array, from: number, to: number, own?: Buffer): void;
  /** @throws Error saying which file could not be written, and why */
  finish(): Promise<void>;
  discard(): Promise<void>;
}

class MemoryMedium implements Medium {
  failure: Error | undefined;
  #fd: number | undefined;
  #isMade = false;
  #isSpare = false;
  #bytes = 0;

  constructor(
    private readonly path: string,
    private readonly disk: Disk,
  ) {
    this.#try('create', () => {
      this.#isSpare = disk.spares?.give(path) ?? false;
      this.#fd = openSync(path, this.#isSpare ? 'r+' : 'wx', MODE);
      this.#isMade = true;
    });
  }

  write(bytes: Uint8Array, from: number, to: number, own?: Buffer): void {
    try {
      for (let at = from; at < to && !this.failure;) {
        const written = writeSync(this.#fd!, bytes, at, to - at);
        this.#bytes += written;
        at += written;
      }
    } catch (error) {
      this.failure = failed(`cannot write ${this.path}`, error);
    }
    if (own) this.disk.recycle(own);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- its errors are rejections
  async finish(): Promise<void> {
    this.#try('close', () => this.#close());
    if (!this.failure) return;
    this.#remove();
    throw this.failure;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async discard(): Promise<void> {
    this.failure ??= new Error('given up');
    this.#remove();
  }

  #try(what: string, action: () => void): void {
    if (this.failure) return;
    try {
      action();
    } catch (error) {
      this.failure = failed(`cannot ${what} ${this.path}`, error);
    }
  }

  #close(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    try {
      // It had the bytes of another.
      if (this.#isSpare) ftruncateSync(fd, this.#bytes);
    } finally {
      closeSync(fd);
    }
  }

  #remove(): void {
    if (!this.#isMade) return;
    this.#isMade = false;
    try {
      this.#close();
      unlinkSync(this.path);
    } catch {
      // The spool's owner removes leftovers when it opens it.
    }
  }
}

class DiskMedium implements Medium {
  failure: Error | undefined;
  #handle: Promise<FileHandle> | undefined;
  #writes: Promise<void> = Promise.resolve();

  constructor(
    private readonly path: string,
    private readonly disk: Disk,
  ) {
    if (disk.stuck > 0) this.failure = new Error(`cannot create ${path}: the disk still does not answer`);
    else this.#writes = this.#create();
  }

  write(bytes: Uint8Array, from: number, to: number, own?: Buffer): void {
    this.disk.pendingBytes += to - from;
    const kept = own ?? Buffer.from(bytes.subarray(from, to));
    this.#writes = this.#writes.then(() => this.#write(kept, to - from));
  }

  async finish(): Promise<void> {
    await this.#writes;
    try {
      if (this.failure) throw this.failure;
      const handle = await this.#handle!;
      await this.disk.bounded(`cannot sync ${this.path}`, handle.datasync());
      await this.disk.bounded(`cannot close ${this.path}`, handle.close());
      this.#handle = undefined;
    } catch (error) {
      this.#remove();
      throw failed(`cannot write ${this.path}`, error);
    }
  }

  async discard(): Promise<void> {
    this.failure ??= new Error('given up');
    await this.#writes;
    this.#remove();
  }

  async #create(): Promise<void> {
    this.#handle = open(this.path, 'wx', MODE);
    try {
      await this.disk.bounded(`cannot create ${this.path}`, this.#handle);
    } catch (error) {
      this.failure ??= failed(`cannot create ${this.path}`, error);
    }
  }

  async #write(buffer: Buffer, length: number): Promise<void> {
    let stuck = false;
    try {
      if (this.failure) return;
      const handle = await this.#handle!;
      for (let at = 0; at < length;) {
        stuck = true;
        const { bytesWritten } = await this.disk.bounded(
          `cannot write ${this.path}`,
          handle.write(buffer, at, length - at),
        );
        stuck = false;
        at += bytesWritten;
      }
    } catch (error) {
      this.failure ??= failed(`cannot write ${this.path}`, error);
    } finally {
      // The buffer of a write that may still be going on is nobody else's.
      if (!stuck) this.disk.recycle(buffer);
      this.disk.settled(length);
    }
  }

  /** Closes and removes what there is, whenever the disk lets it; nothing waits for that. */
  #remove(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    if (!handle) return;
    handle
      .then(async (opened) => {
        await opened.close().catch(() => undefined);
        await unlink(this.path);
      })
      .catch(() => {
        // It was never made; or the spool's owner removes leftovers when it opens it.
      });
  }
}

function failed(what: string, cause: unknown): Error {
  const text = errorText(cause);
  return new Error(text.startsWith('cannot ') ? text : `${what}: ${text}`, { cause });
}
