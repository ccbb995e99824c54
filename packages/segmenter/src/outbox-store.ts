import { readFile, readdir, stat } from 'node:fs/promises';
import {
  parseSegmenterMessage,
  ProtocolError,
  tracks as tracksSchema,
  type Announcement,
  type Tracks,
} from '@hls-uplink/protocol';
import { errorCode, errorText, type Logger } from '@hls-uplink/runtime';
import * as z from 'zod';
import { removeFile, renameDurably, writeDurably } from './durable-file.js';
import type { SpareFiles } from './spare-files.js';
import type { Spool } from './spool.js';

const TRACKS_FILE = 'tracks.json';
const RECORD_NAME = /^(\d{1,16})\.json$/;
const SEGMENT_NAME = /^(\d{1,16})\.ts$/;

/** What an earlier process left. */
export interface Leftover {
  /** Ascending by index; `file` tells whether the segment's file is as its record says. */
  announcements: {
    message: Announcement;
    file: 'whole' | 'missing' | 'wrong-size' | 'none';
    /** When it was written, milliseconds since 1970. */
    since: number;
  }[];
  tracks: Tracks[];
  /** Lowest index that was never used. */
  nextIndex: number;
}

/**
 * The files of the outbox in its spool: `<index>.ts`, a segment; `<index>.json`, the record of an announcement;
 * `tracks.json`. Everything written is whole and on disk when the promise resolves; errors are errno errors.
 */
export class OutboxStore {
  constructor(
    private readonly spool: Spool,
    private readonly logger: Logger,
    private readonly spares?: SpareFiles,
  ) {}

  segmentPath(index: number): string {
    return this.spool.path(`${index}.ts`);
  }

  /** Gives a whole and synced file its final name. */
  async adopt(partPath: string, index: number): Promise<void> {
    await renameDurably(partPath, this.segmentPath(index));
  }

  async write(message: Announcement): Promise<void> {
    await writeDurably(this.#recordPath(message.index), JSON.stringify(message));
  }

  /** @throws errno errors; ProtocolError when it is damaged */
  async read(index: number): Promise<Announcement> {
    return this.#parse(index, await readFile(this.#recordPath(index), 'utf8'));
  }

  async writeTracks(tracks: readonly Tracks[]): Promise<void> {
    await writeDurably(this.spool.path(TRACKS_FILE), JSON.stringify(tracks));
  }

  /** All indexes below are used, even if no record says so. */
  async setNextIndex(index: number): Promise<void> {
    await this.spool.setNextIndex(index);
  }

  /**
   * The record goes first: what has none is removed at the next start.
   * @param isUnread nobody reads the segment's file any more: it may be written again
   */
  async remove(index: number, isUnread = false): Promise<void> {
    await this.removeFile(this.#recordPath(index));
    const path = this.segmentPath(index);
    if (!isUnread || this.spares?.keep(path) !== true) await this.removeFile(path);
  }

  /** Never throws: a file that stays is said, and nothing more can be done. */
  async removeFile(path: string): Promise<void> {
    try {
      await removeFile(path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      this.logger.warn('cannot remove a file of the spool', { path, error: errorText(error) });
    }
  }

  /** Reads all, and removes segments without a record: they were never announced, and their index is used again. */
  async restore(): Promise<Leftover> {
    const marked = await this.spool.nextIndex();
    const names = await readdir(this.spool.folder);
    const indexes = names
      .flatMap((name) => RECORD_NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
    await this.#removeUnrecorded(names, new Set(indexes));
    const announcements: Leftover['announcements'] = [];
    for (const index of indexes) {
      const message = await this.#readOrRemove(index);
      if (!message) continue;
      const { mtimeMs } = await stat(this.#recordPath(index));
      announcements.push({ message, file: await this.#fileOf(message), since: mtimeMs });
    }
    const tracks = names.includes(TRACKS_FILE) ? await this.#readTracks() : [];
    const nextIndex = Math.max(marked, (indexes.at(-1) ?? -1) + 1);
    return { announcements, tracks, nextIndex };
  }

  async #readOrRemove(index: number): Promise<Announcement | undefined> {
    try {
      return await this.read(index);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.logger.error('a record of the spool is damaged: its segment is lost', {
        path: this.#recordPath(index),
        error: errorText(error),
      });
      // Before the record goes that tells that its index is used.
      await this.spool.setNextIndex(index + 1);
      await this.remove(index);
      return undefined;
    }
  }

  async #fileOf(message: Announcement): Promise<Leftover['announcements'][number]['file']> {
    if (message.type !== 'segment') return 'none';
    try {
      const { size } = await stat(message.path);
      return size === message.bytes ? 'whole' : 'wrong-size';
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return 'missing';
      throw error;
    }
  }

  async #removeUnrecorded(names: readonly string[], recorded: ReadonlySet<number>): Promise<void> {
    const leftovers = names.filter((name) => {
      const index = SEGMENT_NAME.exec(name)?.[1];
      return index !== undefined && !recorded.has(Number(index));
    });
    for (const name of leftovers) await this.removeFile(this.spool.path(name));
    if (leftovers.length === 0) return;
    const { folder } = this.spool;
    this.logger.warn('removed segments without a record that a crash left', {
      folder,
      files: leftovers.length,
    });
  }

  async #readTracks(): Promise<Tracks[]> {
    const path = this.spool.path(TRACKS_FILE);
    try {
      return z.array(tracksSchema).parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
      this.logger.error('the record of the tracks is damaged: waiting segments are announced without', {
        path,
      });
      return [];
    }
  }

  #parse(index: number, text: string): Announcement {
    const message = parseSegmenterMessage(text);
    const { type } = message;
    if (type !== 'segment' && type !== 'gap' && type !== 'leave' && type !== 'end') {
      throw new ProtocolError('bad-message', false, `record ${index} is a ${type}`);
    }
    if (message.session !== this.spool.session || message.index !== index) {
      throw new ProtocolError('bad-message', false, `record ${index} is one of another session or index`);
    }
    // The folder may have been moved since.
    return message.type === 'segment' ? { ...message, path: this.segmentPath(index) } : message;
  }

  #recordPath(index: number): string {
    return this.spool.path(`${index}.json`);
  }
}
