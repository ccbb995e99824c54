import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { silentLogger, systemClock, type LogFields, type Logger } from '@hls-uplink/runtime';
import type { CutSegment } from './cut-segment.js';
import { Outbox } from './outbox.js';
import { Spool } from './spool.js';

/** Collects what is logged as `level message`. */
export class LogBook implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];
  error = this.#to('error');
  warn = this.#to('warn');
  info = this.#to('info');
  debug = this.#to('debug');

  child(): Logger {
    return this;
  }

  matching(pattern: RegExp): { level: string; message: string; fields: LogFields }[] {
    return this.lines.filter(({ message }) => pattern.test(message));
  }

  #to(level: string): (message: string, fields?: LogFields) => void {
    return (message, fields = {}) => void this.lines.push({ level, message, fields });
  }
}

/** A folder that is gone after the test. */
export class TempFolder {
  private constructor(readonly path: string) {}

  static async make(): Promise<TempFolder> {
    return new TempFolder(await mkdtemp(join(tmpdir(), 'segmenter-')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export async function openSpool(folder: string, waitMs = 0, logger: Logger = silentLogger): Promise<Spool> {
  return Spool.open({ folder, waitMs, clock: systemClock, logger });
}

export async function openOutbox(spool: Spool, logger: Logger = silentLogger): Promise<Outbox> {
  return Outbox.open({ spool, clock: systemClock, logger });
}

let parts = 0;

/** A segment as the cutting pipeline hands it on, its file written. */
export async function cutSegment(
  spool: Spool,
  content: string | Buffer = `segment ${parts}`,
): Promise<CutSegment> {
  const partPath = spool.path(`cut-${++parts}.part`);
  const bytes = Buffer.from(content);
  await writeFile(partPath, bytes);
  return {
    partPath,
    bytes: bytes.length,
    crc32: crc32(bytes),
    startPts: parts * 540_000,
    endPts: (parts + 1) * 540_000,
    wallClockMs: 1_700_000_000_000 + parts * 6000,
    ended: 'cut',
    independent: true,
    keyPictures: [{ offset: 376, bytes: 1880, pts: parts * 540_000 }],
    markers: [],
  };
}

export const someTracks = {
  tracks: [
    { kind: 'video' as const, pid: 256, codec: 'avc1.64001f', width: 1280, height: 720, frameRate: 25 },
  ],
  gop: 180_000,
};
