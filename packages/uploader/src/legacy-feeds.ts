import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, normalize, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { MediaError } from '@hls-uplink/mpegts';
import {
  legacySegmentPath,
  parseLegacyLine,
  ProtocolError,
  ptsDifference,
  ptsDuration,
  renditionName,
  type LegacyLine,
  type Segment,
  type SegmentId,
} from '@hls-uplink/protocol';
import { errorCode, errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import type { Channels } from './channels.js';
import type { ChannelWorker } from './channel-worker.js';
import type { Journal } from './journal.js';
import { JournalError } from './journal-error.js';
import type { LegacyRecord, NewRecord } from './journal-record.js';
import { LegacyFeed } from './legacy-feed.js';
import { tablesFirst } from './leading-tables.js';
import type { OwnSpool, Receiver } from './own-spool.js';
import { SegmentProbe, type ProbedSegment } from './segment-probe.js';
import type { SpoolFiles } from './spool-files.js';

export interface LegacyFeedsOptions {
  channels: Channels;
  files: SpoolFiles;
  ownSpool: OwnSpool;
  journal: Journal;
  /** Bytes of its own spool that the uploader fills at most. */
  spoolBytes: number;
  clock: Clock;
  logger: Logger;
}

/** Why a line could not be followed: told to the operator, since no answer is sent. */
class LegacyRefusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const CHUNK_BYTES = 1024 * 1024;
const MOST_BYTES = 1024 * 1024 * 1024;
/** A feed that was silent for so many segments is gone; so much at least, milliseconds. */
const SILENT_SEGMENTS = 4;
const LEAST_SILENCE_MS = 30_000;
/** What is remembered of a feed that never came back, milliseconds. */
const FORGET_MS = 7 * 24 * 60 * 60 * 1000;

interface Copy {
  path: string;
  crc32: number;
  bytes: number;
  mtimeMs: number;
  probed: ProbedSegment;
}

/**
 * What the original's segmenter says, in lines of ten fields: its files are copied, probed and announced as if a
 * segmenter had said it. No answer is sent; what cannot be followed is logged and counted.
 */
export class LegacyFeeds {
  readonly counts = { lines: 0, repeats: 0, refused: 0 };
  readonly #options: LegacyFeedsOptions;
  readonly #feeds = new Map<string, LegacyFeed>();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(options: LegacyFeedsOptions) {
    this.#options = options;
  }

  /** Forgets feeds that were silent for a week. */
  async start(): Promise<void> {
    const { journal, clock, logger } = this.#options;
    try {
      for (const { channel, record } of [...journal.legacyFeeds()]) {
        if (clock.now() - record.heardMs > FORGET_MS) await journal.forgetLegacy(channel, record.rendition);
      }
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      logger.warn('old legacy feeds are remembered until the next start', { error: errorText(error) });
    }
  }

  stop(): void {
    this.#stopped.abort();
    for (const feed of this.#feeds.values()) feed.cancelSilence();
  }

  /** Resolves when the line is followed, or its fault is logged. Lines of one rendition are followed in order. */
  async line(text: string): Promise<void> {
    if (text.trim() === '') return;
    this.counts.lines++;
    try {
      const line = parseLegacyLine(text);
      const stream = `${line.bucketName}/${line.keyPrefix}/${line.index}`;
      const before = this.#turns.get(stream) ?? Promise.resolve();
      const turn = before.catch(() => undefined).then(() => this.#follow(line));
      this.#turns.set(stream, turn);
      await turn.finally(() => {
        if (this.#turns.get(stream) === turn) this.#turns.delete(stream);
      });
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.counts.refused++;
      this.#options.logger.error('a legacy line cannot be followed', {
        code: errorCode(error) ?? 'failed',
        error: errorText(error),
        line: text.slice(0, 300),
      });
    }
  }

  async #follow(line: LegacyLine): Promise<void> {
    const { channels, journal } = this.#options;
    const rendition = renditionOf(line);
    const found = channels.find(line.keyPrefix, line.bucketName);
    if (!found.ok) throw new LegacyRefusal(found.code, found.reason);
    const { worker } = found;
    this.#checkTarget(worker, line);
    const last = journal.legacy(worker.id, rendition);
    const goesOn = last !== undefined && line.lastSegment >= last.number;
    const own: SegmentId = goesOn
      ? { session: last.session, index: last.nextIndex }
      : { session: randomBytes(16).toString('hex'), index: 0 };
    const copy = await this.#copy(
      worker,
      line,
      own,
      goesOn && line.lastSegment === last.number ? last.crc32 : undefined,
    );
    if (copy === 'repeat') {
      this.counts.repeats++;
      if (line.end && last && !last.ended) await this.#end(worker, line, last);
      return;
    }
    // The same number with other bytes is a segmenter that began anew.
    const id =
      last && line.lastSegment === last.number ? { session: randomBytes(16).toString('hex'), index: 0 } : own;
    const before = id.session === last?.session ? last : undefined;
    const path = id === own ? copy.path : await this.#options.ownSpool.rename(own, id);
    let record: NewLegacyRecord;
    try {
      record = await this.#announce(worker, line, id, { ...copy, path }, before);
    } catch (error) {
      // No answer will ever free it.
      if (worker.status(id) === 'new') await this.#options.ownSpool.remove(id);
      throw error;
    }
    if (line.end) await this.#end(worker, line, record);
  }

  async #announce(
    worker: ChannelWorker,
    line: LegacyLine,
    id: SegmentId,
    { path, bytes, crc32: crc, mtimeMs, probed }: Copy,
    before: LegacyRecord | undefined,
  ): Promise<NewLegacyRecord> {
    const { startPts, endPts, independent, keyPictures, tracks, gop } = probed;
    const durationMs = ptsDuration(startPts, endPts) / 90;
    const discontinuity = discontinuityOf(line, probed, before);
    const segment: Segment = {
      type: 'segment',
      ...id,
      path,
      bytes,
      crc32: crc,
      startPts,
      endPts,
      wallClock: new Date(Math.min(mtimeMs, this.#options.clock.now()) - durationMs).toISOString(),
      ended: 'cut',
      independent,
      keyPictures,
      markers: [],
      ...(discontinuity && { discontinuity }),
    };
    const tracksText = JSON.stringify({ tracks, gop });
    const record: NewLegacyRecord = {
      type: 'legacy',
      rendition: renditionOf(line),
      session: id.session,
      number: line.lastSegment,
      crc32: crc,
      endPts,
      nextIndex: id.index + 1,
      ended: false,
      tracks: tracksText,
      heardMs: this.#options.clock.now(),
    };
    const feed = await this.#feed(worker, line, id.session);
    const together: NewRecord[] = [{ type: 'session', facts: feed.facts }, record];
    // Told again after a restart of the uploader, too: only announcements keep their tracks in the journal.
    if (tracksText !== before?.tracks || worker.state.sources[id.session] === undefined) {
      const { session, index } = id;
      together.push({
        type: 'tracks',
        tracks: { type: 'tracks', session, index, tracks, ...(gop !== undefined && { gop }) },
      });
    }
    await worker.accept(segment, together);
    this.#options.logger.debug('a legacy segment is taken', {
      channel: worker.id,
      ...id,
      number: line.lastSegment,
    });
    return record;
  }

  async #end(worker: ChannelWorker, line: LegacyLine, last: NewLegacyRecord): Promise<void> {
    const { session, nextIndex: index } = last;
    const feed = await this.#feed(worker, line, session);
    const record: NewLegacyRecord = {
      ...last,
      nextIndex: index + 1,
      ended: true,
      heardMs: this.#options.clock.now(),
    };
    await worker.accept({ type: 'end', session, index }, [{ type: 'session', facts: feed.facts }, record]);
  }

  /** The link of this session, connected; one of an older session of the same rendition is gone. */
  async #feed(worker: ChannelWorker, line: LegacyLine, session: string): Promise<LegacyFeed> {
    const rendition = renditionOf(line);
    const key = `${worker.id}/${rendition}`;
    let feed = this.#feeds.get(key);
    if (feed && (feed.facts.session !== session || feed.worker !== worker)) {
      feed.cancelSilence();
      await feed.worker.detach(feed);
      feed = undefined;
    }
    if (!feed) {
      feed = new LegacyFeed(
        {
          rendition,
          source: 'legacy',
          session,
          target: line.segmentDuration,
          names: {
            bucket: line.bucketName,
            index: line.index,
            segmentPrefix: line.outputPrefix,
            ...(line.httpPrefix !== '' && { urlPrefix: line.httpPrefix }),
          },
        },
        worker,
      );
      this.#feeds.set(key, feed);
      worker.join(feed);
    }
    feed.cancelSilence();
    const silence = Math.max(LEAST_SILENCE_MS, SILENT_SEGMENTS * line.segmentDuration * 1000);
    const current = feed;
    current.cancelSilence = this.#options.clock.after(silence, () => {
      this.#feeds.delete(key);
      void worker.detach(current);
    });
    return current;
  }

  #checkTarget(worker: ChannelWorker, { segmentDuration }: LegacyLine): void {
    const { target, phase, refusal } = worker.state;
    if (refusal !== undefined) throw new LegacyRefusal('channel', refusal);
    if (target !== undefined && target !== segmentDuration && phase !== 'ended') {
      const message = `channel ${worker.id} is cut by ${target} s, not ${segmentDuration} s: start the segmenter with ${target}`;
      throw new LegacyRefusal('target', message);
    }
  }

  /** Copies the file into the own spool and probes it on the way. @param lastCrc of the segment it may repeat */
  async #copy(
    worker: ChannelWorker,
    line: LegacyLine,
    id: SegmentId,
    lastCrc: number | undefined,
  ): Promise<Copy | 'repeat'> {
    const { ownSpool } = this.#options;
    const opened = await this.#openAny(this.#candidates(line));
    const { handle, bytes } = opened;
    try {
      if (bytes === 0 || bytes > MOST_BYTES) {
        throw new LegacyRefusal('bad-file', `${opened.path} has ${bytes} bytes: it is no segment`);
      }
      const { mtimeMs } = await handle.stat();
      let crc = 0;
      for await (const chunk of chunks(handle, bytes)) crc = crc32(chunk, crc);
      if (crc === lastCrc) return 'repeat';
      const giveBack = await this.#room(worker, bytes);
      const probe = new SegmentProbe();
      let receiver: Receiver | undefined;
      try {
        receiver = await ownSpool.receive(id, { bytes, crc32: crc });
        for await (const chunk of chunks(handle, bytes)) {
          probe.push(chunk);
          await receiver.write(chunk);
        }
        const probed = probe.finish();
        const finished = await receiver.finish();
        if (!finished.ok)
          throw new LegacyRefusal(
            'bad-file',
            `${opened.path} changed while it was copied: ${finished.reason}`,
          );
        return { path: finished.path, crc32: crc, bytes, mtimeMs, probed };
      } finally {
        giveBack();
        await receiver?.discard();
      }
    } finally {
      await handle.close();
    }
  }

  /** Waits until the own spool may take so many bytes; the original keeps its files meanwhile. @returns gives them back */
  async #room(worker: ChannelWorker, bytes: number): Promise<() => void> {
    const { ownSpool, spoolBytes, clock, logger } = this.#options;
    const giveBack = await ownSpool.room(bytes, spoolBytes, {
      clock,
      signal: this.#stopped.signal,
      full: (isFirst) => {
        if (isFirst) logger.warn('the own spool is full: legacy lines wait', { spoolBytes });
        worker.heldUp();
      },
    });
    if (giveBack) return giveBack;
    throw new LegacyRefusal('stopping', 'the uploader was stopped while its spool was full');
  }

  async #openAny(paths: readonly string[]): Promise<{ handle: FileHandle; bytes: number; path: string }> {
    let reason = '';
    for (const path of paths) {
      const opened = await this.#options.files.open(path);
      if (opened.ok) return { handle: opened.handle, bytes: opened.bytes, path };
      reason = opened.reason;
    }
    const message = `${reason}: the daemon opens files below --spool-root only (${this.#options.files.roots.join(', ')})`;
    throw new LegacyRefusal('bad-path', message);
  }

  /** Where the file may be: a relative folder is meant from where the old segmenter was started, which nobody tells. */
  #candidates(line: LegacyLine): string[] {
    const path = legacySegmentPath(line);
    if (isAbsolute(path)) return [normalize(path)];
    return this.#options.files.roots.flatMap((root) => [resolve(root, path), resolve(dirname(root), path)]);
  }
}

type NewLegacyRecord = Omit<LegacyRecord, 'sequence'>;

function renditionOf({ index }: LegacyLine): string {
  const parsed = renditionName.safeParse(index.replace(/\.m3u8$/, ''));
  if (parsed.success) return parsed.data;
  const message = `the index ${index} is the name of a derived file: give the segmenter another m3u8 index file`;
  throw new LegacyRefusal('bad-name', message);
}

function discontinuityOf(
  line: LegacyLine,
  { startPts, frameTicks }: ProbedSegment,
  before: LegacyRecord | undefined,
): Segment['discontinuity'] {
  if (!before) return 'start';
  if (Math.abs(ptsDifference(startPts, before.endPts)) > 2 * frameTicks) {
    return line.lastSegment > before.number + 1 ? 'loss' : 'timestamps';
  }
  return undefined;
}

/** The bytes of the copy: the file's, tables first. */
async function* chunks(handle: FileHandle, bytes: number): AsyncIterable<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes));
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, bytes - at), at);
    if (bytesRead === 0) throw new LegacyRefusal('bad-file', 'the file became shorter while it was read');
    if (at === 0) tablesFirst(buffer.subarray(0, bytesRead));
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

function isExpected(error: unknown): boolean {
  if (error instanceof LegacyRefusal || error instanceof ProtocolError || error instanceof MediaError)
    return true;
  // The disk's or the journal's.
  return errorCode(error) !== undefined && !(error instanceof TypeError || error instanceof RangeError);
}
