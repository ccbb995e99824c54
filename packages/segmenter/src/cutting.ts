import {
  Demuxer,
  MediaError,
  NO_TIMESTAMP,
  Packetizer,
  TICKS_PER_SECOND,
  type DemuxerSink,
  type ElementaryTrack,
  type Program,
  type Unit,
  type WaitReason,
} from '@hls-uplink/mpegts';
import type { DiscontinuityReason } from '@hls-uplink/protocol';
import { silentLogger, type Clock, type Logger } from '@hls-uplink/runtime';
import { Cutter } from './cutter.js';
import type { CuttingOptions } from './cutting-options.js';
import { Delivery, type About } from './delivery.js';
import { Disk, isInMemory } from './disk.js';
import { InputRemarks } from './input-remarks.js';
import { InputTally, type CuttingCounters } from './input-tally.js';
import { Pace } from './pace.js';
import { PictureSilence, type Measure } from './picture-silence.js';
import { ProgramRemarks } from './program-remarks.js';
import { SegmentWriter } from './segment-writer.js';
import { SoundStart } from './sound-start.js';
import { SpliceMarkers } from './splice-markers.js';
import { StartWait } from './start-wait.js';
import { completeTracks, describeTracks } from './track-description.js';
import { TrackRemarks } from './track-remarks.js';

export type { CuttingCounters, CuttingOptions };

/** Bytes without any packet structure after which the input is refused. */
const NO_SYNC_BYTES = 1 << 20;
/** Longest wait for the sound after a cut, seconds of stream time. */
const AUDIO_WAIT_SECONDS = 2;

/**
 * The cutting pipeline: bytes → packets → program → cuts → segment files → sink.
 *
 * `push` throws a `MediaError` when the input cannot be segmented (`no-sync` after 1 MB without packets; `unsupported-video`
 * of the only program), and from then on. `finish` throws one when nothing came of the whole input (`empty`, `no-sync`,
 * `no-tables`, `no-program`, `no-media`, `scrambled`, `no-timestamps`, `no-key-picture`).
 */
export class Cutting implements DemuxerSink {
  #bytes = 0;
  #position: number | undefined;
  #started = false;
  #refusal: MediaError | undefined;
  #tracks: ElementaryTrack[] = [];
  /** The one that cuts. */
  #reference: ElementaryTrack | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #inputRemarks: InputRemarks;
  readonly #programRemarks: ProgramRemarks;
  readonly #trackRemarks: TrackRemarks;
  readonly #spliceMarkers: SpliceMarkers;
  readonly #delivery: Delivery;
  readonly #packetizer: Packetizer;
  readonly #demuxer: Demuxer;
  readonly #tally: InputTally;
  readonly #cutter: Cutter;
  readonly #soundStart: SoundStart;
  readonly #pace = new Pace();
  readonly #silence = new PictureSilence();
  readonly #startWait: StartWait;
  /** The program's video is of a coding that is not read: what comes is of no use. */
  #isBarred = false;
  readonly #disk: Disk;
  readonly #writer: SegmentWriter<About>;

  constructor({
    targetSeconds,
    spool,
    sink,
    clock,
    logger = silentLogger,
    program,
    audioWaitSeconds,
    inMemory = isInMemory(spool),
    spares,
  }: CuttingOptions) {
    this.#clock = clock;
    this.#logger = logger;
    this.#inputRemarks = new InputRemarks(logger, clock);
    this.#programRemarks = new ProgramRemarks(logger);
    this.#trackRemarks = new TrackRemarks(logger, clock, targetSeconds);
    this.#spliceMarkers = new SpliceMarkers(logger, clock);
    this.#delivery = new Delivery(sink, logger);
    this.#demuxer = new Demuxer(this, program);
    this.#packetizer = new Packetizer(this.#demuxer);
    this.#tally = new InputTally(this.#packetizer, this.#demuxer);
    this.#startWait = new StartWait(logger, clock, this.#packetizer, this.#demuxer);
    this.#cutter = new Cutter(targetSeconds);
    this.#soundStart = new SoundStart(targetSeconds);
    this.#disk = new Disk(clock, targetSeconds * 1000, inMemory, spares);
    this.#writer = new SegmentWriter<About>({
      spool,
      prefix: `cut-${process.pid}-${clock.now().toString(36)}`,
      disk: this.#disk,
      waitTicks: Math.round(
        (audioWaitSeconds ?? Math.min(targetSeconds, AUDIO_WAIT_SECONDS)) * TICKS_PER_SECOND,
      ),
      closed: (segment) => {
        const { described, tracks } = segment.about;
        this.#delivery.take(segment, completeTracks(described, describeTracks(tracks, this.#pace)));
        this.#remark(tracks);
        this.#inputRemarks.damages(this.counters);
      },
    });
  }

  /**
   * Takes the next bytes of the input; they may be reused after the call.
   *
   * @param headroom bytes before them, in their buffer, that may be overwritten
   * @returns a promise when too much waits for the disk: push on when it resolves
   * @throws MediaError see above
   */
  push(chunk: Uint8Array, headroom = 0): void | Promise<void> {
    if (this.#refusal) throw this.#refusal;
    this.#bytes += chunk.length;
    try {
      this.#packetizer.push(chunk, headroom);
      this.#inputRemarks.look(this.#packetizer.stride, this.#demuxer.isScrambled);
      if (!this.#packetizer.found && this.#packetizer.skippedBytes > NO_SYNC_BYTES)
        throw new MediaError('no-sync', 'the input is no transport stream: no packets in its first megabyte');
      this.#watch(chunk.length);
    } catch (error) {
      if (error instanceof MediaError) this.#refuse(error);
      throw error;
    }
    return this.#disk.room();
  }

  /** The channel's target duration, seconds: no segment will round above it. */
  setTargetDuration(seconds: number): void {
    this.#cutter.setTargetDuration(seconds);
  }

  /** The input went away and may come back: the open segment ends, the next has the discontinuity `start`. */
  break(reason: string): void {
    this.#logger.info('input interrupted', { reason });
    this.#drain(false);
    this.#end('break', 'never');
    this.#inputRemarks.rest(this.counters);
    this.#demuxer.restart();
    this.#pace.jump();
    this.#cutter.break('start');
    this.#startWait.pause();
  }

  /**
   * Ends the open segment and waits until all are on disk and handed on.
   *
   * @throws MediaError when no segment came of the whole input, and `push` has not said why already
   */
  async finish(ended: 'leave' = 'leave'): Promise<void> {
    const hasSaid = this.#refusal !== undefined;
    if (!hasSaid) {
      this.#drain(true);
      this.#end(ended, 'never');
    }
    // Where nothing came of it the refusal says why.
    if (this.#started) this.#inputRemarks.rest(this.counters);
    await this.#delivery.done;
    if (this.#refusal && !hasSaid) throw this.#refusal;
    if (!this.#started && !this.#refusal) throw this.#startWait.refusal();
  }

  /** Resolves when all segments that have ended so far are on disk and handed on. */
  handedOn(): Promise<void> {
    return this.#delivery.done;
  }

  get counters(): CuttingCounters {
    return {
      bytes: this.#bytes,
      ...this.#tally.counters,
      droppedPackets: this.#writer.droppedPackets,
      segments: this.#delivery.segments,
      lost: this.#delivery.lost,
    };
  }

  /** Packets found so far. */
  get packetsFound(): number {
    return this.#packetizer.packets;
  }

  /** PTS of the newest picture (audio alone: PES), for the status line. */
  get position(): number | undefined {
    return this.#position;
  }

  // What the demuxer tells.

  /** @internal */
  program(program: Program): void {
    const before = this.#tracks;
    const same =
      before.length === program.tracks.length && program.tracks.every((track) => before.includes(track));
    this.#programRemarks.chosen(program.pmt, this.#demuxer.tables.programs);
    if (before.length > 0 && !same) {
      this.#programRemarks.changed(program.pmt);
      if (before.includes(program.reference)) this.#cutter.change();
      else this.#breakOff('tables');
      if (program.reference !== this.#reference) {
        this.#pace.reset();
        this.#startWait.over();
      }
    }
    this.#isBarred = false;
    this.#tally.follow(program.tracks);
    this.#tracks = program.tracks;
    this.#reference = program.reference;
    this.#writer.program(program);
  }

  /** @internal */
  waiting(reason: WaitReason): void {
    const { wanted, programs } = this.#demuxer.tables;
    this.#isBarred ||= reason === 'unsupported-video';
    this.#programRemarks.waiting(reason, wanted, programs);
  }

  /** @internal */
  unit(track: ElementaryTrack, unit: Unit): void {
    if (track !== this.#demuxer.program!.reference) {
      if (unit.changed) this.#cutter.change();
      if (track.kind === 'audio' && this.#writer.about && this.#silence.hears(track, unit.pts, unit.jump))
        this.#fallSilent('sound');
      this.#writer.begin(track, unit.pts, unit.jump);
      return;
    }
    const { pts, dts, jump, changed, pictures, lastPts } = unit;
    const isSound = track.kind === 'audio';
    // Where sound begins anew it does so at any PES: waiting for a better one would lose it.
    const isAnew = jump || changed || !this.#writer.about;
    const key = isSound ? this.#soundStart.take(pts, unit.key || isAnew) : unit.key;
    if (this.#isBarred) {
      if (this.#writer.about) this.#breakOff('tables');
      this.#writer.picture(track, unit.pts, unit.dts, false);
      return;
    }
    if (pts !== NO_TIMESTAMP) this.#silence.end();
    if (key) this.#pace.key(this.#tally.damages);
    const decision = this.#cutter.unit(pts, key, jump, changed, this.#pace.frameTicks(track) * pictures);
    // Where a refresh begins a segment may begin, but no player sees a whole picture at once. Of sound each frame is whole.
    const independent = isSound || (key && unit.access !== 'gradual');
    const isBreak = decision === 'break' || decision === 'break-start';
    if (isBreak && (jump || !changed)) this.#trackRemarks.jumped(this.#pace.since(dts), decision === 'break');
    switch (decision) {
      case 'cut':
      case 'forced':
      case 'change': {
        const about = this.#writer.about!;
        about.endPts = this.#cutter.endPts;
        about.ended = decision === 'change' ? 'break' : decision;
        this.#pace.unit(pts, dts, key, true, pictures, lastPts);
        this.#writer.cut(pts, dts, this.#about(pts, independent));
        break;
      }
      case 'break':
        this.#end('break', 'begun');
        this.#pace.jump();
        break;
      case 'break-start': {
        const about = this.#writer.about!;
        about.endPts = this.#pace.end(track, true);
        about.ended = 'break';
        this.#pace.jump();
        this.#pace.unit(pts, dts, key, true, pictures, lastPts);
        // Sound is on the clock that was until it jumps, too.
        this.#writer.cut(jump ? about.endPts : pts, dts, this.#about(pts, independent), jump);
        break;
      }
      case 'start':
        this.#start(unit, independent);
        break;
      case 'on':
        this.#pace.unit(pts, dts, key, false, pictures, lastPts);
        break;
      case 'wait':
        this.#startWait.unit(pts);
        break;
    }
    if (!independent) this.#trackRemarks.start(decision, key, track.pid, this.#pace.frameRate(track));
    if (pts !== NO_TIMESTAMP) this.#position = pts;
    this.#writer.picture(track, pts, dts, independent);
  }

  /** @internal */
  packets(bytes: Uint8Array, from: number, to: number, track: ElementaryTrack): void {
    this.#writer.packets(bytes, from, to, track);
  }

  /** @internal */
  pcr(ticks: number): void {
    if (this.#writer.about && this.#silence.passes(ticks)) this.#fallSilent('PCR');
  }

  /** @internal */
  splice(section: Uint8Array): void {
    const { about } = this.#writer;
    // Outside of a segment it is dropped as its packets are.
    if (about) this.#spliceMarkers.add(about.markers, section, this.#position ?? about.startPts);
  }

  /** @internal */
  flush(): void {
    this.#writer.flush();
  }

  #start({ pts, dts, key, pictures, lastPts }: Unit, independent: boolean): void {
    this.#started = true;
    this.#startWait.over();
    this.#pace.unit(pts, dts, key, true, pictures, lastPts);
    // One a slot, so that redundant segmenters count alike, whenever each of them joined.
    this.#writer.start(this.#about(pts, independent), this.#cutter.slot(pts));
  }

  #about(pts: number, independent: boolean): About {
    return {
      startPts: pts,
      endPts: pts,
      wallClockMs: this.#clock.now(),
      discontinuity: this.#cutter.discontinuity,
      ended: 'leave',
      independent,
      markers: [],
      tracks: this.#tracks,
      described: describeTracks(this.#tracks, this.#pace),
    };
  }

  /** Bytes have been read. */
  #watch(bytes: number): void {
    const measure = this.#writer.about && this.#silence.reads(bytes, this.#clock.monotonic());
    if (measure) this.#fallSilent(measure);
    else if (!this.#writer.about && !this.#isBarred) this.#startWait.look();
  }

  #fallSilent(measure: Measure): void {
    this.#trackRemarks.picturesAway(measure);
    this.#breakOff('timestamps');
  }

  /** The open segment ends; the next starts at a key picture, with a discontinuity. */
  #breakOff(reason: DiscontinuityReason): void {
    this.#end('break', 'later');
    this.#pace.jump();
    this.#cutter.break(reason);
  }

  /** What is still on the way through packetizer and demuxer comes out. */
  #drain(isOver: boolean): void {
    try {
      this.#packetizer.end();
      if (isOver) this.#demuxer.end();
      else this.#demuxer.interrupt();
    } catch (error) {
      if (!(error instanceof MediaError)) throw error;
      this.#refuse(error);
    }
  }

  /** Ends the open segment at the end of its last picture; `next`: when another begins. */
  #end(ended: 'break' | 'leave', next: 'begun' | 'later' | 'never'): void {
    const { about } = this.#writer;
    if (about && this.#reference) {
      about.endPts = this.#pace.end(this.#reference, next === 'begun');
      about.ended = ended;
    }
    this.#writer.end();
    if (next === 'never') this.#writer.close();
  }

  #refuse(error: MediaError): void {
    this.#end('break', 'never');
    this.#refusal = error;
  }

  #remark(tracks: readonly ElementaryTrack[]): void {
    this.#trackRemarks.tracks(tracks);
    const reference = this.#reference;
    const { gop } = this.#pace;
    // What was measured is of the track that cuts now; a segment of before it may close only then.
    if (!reference || !tracks.includes(reference)) return;
    if (reference.kind === 'audio') this.#trackRemarks.soundPes(this.#pace.frameTicks(reference));
    else if (gop !== undefined) this.#trackRemarks.gop(gop, this.#pace.frameRate(reference));
  }
}
