import {
  Demuxer,
  MediaError,
  NO_TIMESTAMP,
  PACKET_SIZE,
  Packetizer,
  timestampDelta,
  TICKS_PER_SECOND,
  wrapTimestamp,
  type ElementaryTrack,
  type Program,
} from '@hls-uplink/mpegts';
import type { KeyPicture, Segment, Track, Tracks } from '@hls-uplink/protocol';

/** What a segment file of unknown making is. */
export interface ProbedSegment
  extends Pick<Segment, 'startPts' | 'endPts' | 'independent' | 'keyPictures'>, Pick<Tracks, 'gop'> {
  tracks: Track[];
  /** How long one picture (audio alone: one PES) is, ticks. */
  frameTicks: number;
}

interface PictureStart {
  pts: number;
  key: boolean;
}

const MOST_KEY_PICTURES = 4000;

/** Finds the real times, key pictures and codecs of a segment from its bytes, which are pushed in order. */
export class SegmentProbe {
  readonly #packetizer: Packetizer;
  readonly #demuxer: Demuxer;
  readonly #pictures: PictureStart[] = [];
  /** Where each PES of the reference track starts and its last packet ends, bytes. */
  readonly #places: { offset: number; end: number }[] = [];
  #program: Program | undefined;
  #at = 0;
  #pid = -1;

  constructor() {
    this.#demuxer = new Demuxer({
      program: (program) => {
        this.#program ??= program;
        this.#pid = this.#program.reference.pid;
      },
      unit: (track, { pts, key, access }) => {
        if (track.pid === this.#pid) this.#pictures.push({ pts, key: key && access !== 'gradual' });
      },
      packets() {},
      flush() {},
    });
    this.#packetizer = new Packetizer({
      packet: (bytes, at) => {
        this.#demuxer.packet(bytes, at);
        this.#place(bytes, at);
        this.#at += PACKET_SIZE;
      },
      flush: () => this.#demuxer.flush(),
    });
  }

  /** @throws MediaError when its tracks cannot be published */
  push(chunk: Uint8Array): void {
    this.#packetizer.push(chunk);
  }

  /** @throws MediaError when it is no segment that can be published */
  finish(): ProbedSegment {
    this.#packetizer.end();
    this.#demuxer.end();
    const program = this.#program;
    if (this.#packetizer.packets === 0) {
      throw new MediaError('no-sync', 'it has no MPEG-TS packets');
    }
    if (!program) throw new MediaError('no-tables', 'it has no PAT and PMT');
    const timed = this.#pictures.filter(({ pts }) => pts !== NO_TIMESTAMP);
    const [first] = timed;
    if (!first) throw new MediaError('no-media', 'it has no picture or sound with a timestamp');
    const { reference } = program;
    const fromStart = timed.map(({ pts }) => timestampDelta(first.pts, pts));
    const frameTicks = frameTicksOf(reference, fromStart);
    const duration =
      Math.max(...fromStart) + (reference.kind === 'audio' ? lastAudio(reference, frameTicks) : frameTicks);
    const gop = reference.kind === 'video' ? gopOf(timed, first.pts, duration) : undefined;
    return {
      tracks: program.tracks.flatMap((track) => describe(track, frameTicks)),
      startPts: first.pts,
      endPts: wrapTimestamp(first.pts + Math.round(duration)),
      independent: this.#pictures[0]?.key ?? false,
      keyPictures: this.#keyPictures(reference),
      frameTicks,
      ...(gop !== undefined && { gop }),
    };
  }

  #place(bytes: Uint8Array, at: number): void {
    const pid = ((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!;
    if (pid !== this.#pid || (bytes[at + 3]! & 0x10) === 0) return;
    const end = this.#at + PACKET_SIZE;
    if (bytes[at + 1]! & 0x40) this.#places.push({ offset: this.#at, end });
    const last = this.#places.at(-1);
    if (last) last.end = end;
  }

  /** None when not every PES start became a picture: then places and pictures don't match. */
  #keyPictures(reference: ElementaryTrack): KeyPicture[] {
    if (
      reference.kind !== 'video' ||
      this.#places.length !== this.#pictures.length ||
      this.#packetizer.skippedBytes > 0
    ) {
      return [];
    }
    return this.#pictures
      .flatMap(({ pts, key }, index): KeyPicture[] => {
        const place = this.#places[index];
        if (!key || pts === NO_TIMESTAMP || !place) return [];
        return [{ offset: place.offset, bytes: place.end - place.offset, pts }];
      })
      .slice(0, MOST_KEY_PICTURES);
  }
}

/** The most common distance of neighbours in time: single pictures may be missing, or come at another pace. */
function frameTicksOf({ sps }: ElementaryTrack, fromStart: readonly number[]): number {
  const inOrder = [...fromStart].sort((a, b) => a - b);
  const counts = new Map<number, number>();
  inOrder.slice(1).forEach((ticks, index) => {
    const distance = ticks - (inOrder[index] ?? 0);
    if (distance > 0) counts.set(distance, (counts.get(distance) ?? 0) + 1);
  });
  const [common] = [...counts].sort(([a, times], [b, others]) => others - times || a - b);
  if (common) return common[0];
  return sps?.frameRate ? TICKS_PER_SECOND / sps.frameRate : TICKS_PER_SECOND / 25;
}

/** The frames of the last audio PES, ticks. */
function lastAudio({ counter }: ElementaryTrack, frameTicks: number): number {
  return counter && counter.ticks > 0 ? counter.ticks : frameTicks;
}

/** Longest distance between key pictures; the last one may be as long as what is left. */
function gopOf(timed: readonly PictureStart[], start: number, duration: number): number | undefined {
  const keys = timed.filter(({ key }) => key).map(({ pts }) => timestampDelta(start, pts));
  if (keys.length === 0) return undefined;
  const distances = [...keys, duration].map((ticks, index, all) =>
    index === 0 ? 0 : ticks - (all[index - 1] ?? 0),
  );
  return Math.round(Math.max(...distances)) || undefined;
}

function describe(
  { kind, pid, language, sps, counter, codecs, units, captions }: ElementaryTrack,
  frameTicks: number,
): Track[] {
  const common = { kind, pid, ...(language !== undefined && { language }) };
  if (kind === 'other') return [common];
  if (kind === 'audio' && !counter && units > 0)
    return [{ ...common, ...(codecs !== undefined && { codec: codecs }) }];
  if (kind === 'audio') return counter?.parameters ? [{ ...common, ...counter.parameters }] : [];
  if (!sps) return [];
  const frameRate = Math.round((TICKS_PER_SECOND / frameTicks) * 1000) / 1000;
  const found = captions?.instreamIds ?? [];
  const picture = { codec: sps.codec, width: sps.width, height: sps.height, frameRate };
  return [{ ...common, ...picture, ...(found.length > 0 && { captions: found }) }];
}
