import { join } from 'node:path';
import {
  NO_TIMESTAMP,
  PACKET_SIZE,
  timestampDelta,
  type ElementaryTrack,
  type Program,
} from '@hls-uplink/mpegts';
import type { KeyPicture } from '@hls-uplink/protocol';
import type { Disk } from './disk.js';
import { Lane } from './lane.js';
import { LeadingTables } from './leading-tables.js';
import { PartFile } from './part-file.js';

/** Sound further than that from the cut is on another clock and goes by arrival. */
const SAME_CLOCK_TICKS = 10 * 90_000;
/** Frame times are rounded, in the stream and here: sound has reached the cut for sure only this far behind it. */
const ROUNDING_TICKS = 2;
/** For the rest of a PES a segment that has ended waits while so much of the others comes, at most. */
const LONGEST_WAIT_BYTES = 1 << 20;
/** Sound ahead of the picture is put aside up to here. */
const LARGEST_ASIDE_BYTES = 1 << 20;

/** A segment whose packets have all been handed to its file. */
export interface WrittenSegment<T> {
  file: PartFile;
  about: T;
  keyPictures: KeyPicture[];
}

interface OpenSegment<T> extends WrittenSegment<T> {
  number: number;
}

export interface SegmentWriterOptions<T> {
  spool: string;
  /** First part of the names of the part files; no two processes' may be alike. */
  prefix: string;
  disk: Disk;
  /** How long a segment waits for its sound after the cut, ticks of stream time. */
  waitTicks: number;
  /** Gets the segments in order, each as soon as nothing more goes into it. */
  closed(segment: WrittenSegment<T>): void;
}

/**
 * Puts the packets of one program into segment files, each starting with PAT and PMT (RFC 8216 §3.2). Packets are
 * copied as they are, in contiguous runs, those of one PID keep their order, and a PES goes whole into one file.
 *
 * The picture goes by decode order: `cut` sends it to the next file. Sound goes by time: a PES whose PTS lies before the
 * cut goes to the old file, else to the new one, whichever arrives first. So the old file stays open after a cut until
 * each sound track has reached it, and sound that runs ahead of the picture is put aside until the picture has come as
 * far. All else goes by arrival.
 */
export class SegmentWriter<T> {
  /** Packets that belonged to no segment: before the first key picture, after a break, of a PES that never ended. */
  droppedPackets = 0;
  #program: Program | undefined;
  /** Number of the first file whose tables name the PID of the PCR. */
  #pcrSegment = 0;
  #lanes: Lane[] = [];
  #current: OpenSegment<T> | undefined;
  /** Cut, but something is still to come into it. */
  #old: OpenSegment<T> | undefined;
  /** Ended before `#old` was; only the rest of PES in progress is still to come into them. */
  readonly #ended: OpenSegment<T>[] = [];
  #endClock = NO_TIMESTAMP;
  #endBytes = 0;
  #cutPts = NO_TIMESTAMP;
  /** Decoding time of the picture that the new file begins with. */
  #cutClock = NO_TIMESTAMP;
  /** Largest PTS of the pictures so far: a later cut lies behind it, and with it all sound up to there before the cut. */
  #reach = NO_TIMESTAMP;
  #segments = 0;
  readonly #tables = new LeadingTables();
  // The run: packets side by side that go to the same file.
  #runFile: PartFile | undefined;
  #runBytes = new Uint8Array(0);
  #runFrom = 0;
  #runTo = 0;
  // The key picture whose end has not been seen.
  #keyLane: Lane | undefined;
  #key: KeyPicture | undefined;

  constructor(private readonly options: SegmentWriterOptions<T>) {}

  /** What was said about the open segment when it began. */
  get about(): T | undefined {
    return this.#current?.about;
  }

  /** The tracks from now on. Files begun later carry its tables, and only they get its new tracks. */
  program(program: Program): void {
    this.flush();
    const before = this.#lanes;
    this.#lanes = [...program.tracks, ...program.leaving].map(
      (track) => before.find((lane) => lane.track === track) ?? new Lane(track, this.#segments + 1),
    );
    if (this.#program?.pmt.pcrPid !== program.pmt.pcrPid) this.#pcrSegment = this.#segments + 1;
    this.#program = program;
    for (const lane of before) if (!program.tracks.includes(lane.track)) this.#leave(lane);
    this.#closeWhenComplete();
  }

  /** Nothing begins on the lane any more. */
  #leave(lane: Lane): void {
    this.#placeAside(lane, 'end');
    const isWaitedFor = lane.expected !== 'nothing' && lane.file && lane.file !== this.#current?.file;
    lane.expected = isWaitedFor && lane.track.missingBytes > 0 ? 'end' : 'nothing';
  }

  /**
   * Starts a file. Its reference PES is announced by `picture`, the other tracks come in with their next PES.
   *
   * @param files how many count as written before it
   */
  start(about: T, files: number): void {
    this.flush();
    this.#tables.count(files);
    for (const lane of this.#lanes) if (lane.expected !== 'end') lane.settle();
    this.#current = this.#create(about);
  }

  /**
   * Ends the open segment at `pts` of the reference track and starts the next; then comes `picture`.
   *
   * @param clock decoding time of that picture
   * @param jumped it is on another clock than `pts`; so is sound from where it jumps
   */
  cut(pts: number, clock: number, about: T, jumped = false): void {
    this.flush();
    if (this.#old) this.#retire(this.#old);
    this.#old = undefined;
    for (const lane of this.#lanes) lane.expected = 'nothing';
    if (jumped) for (const lane of this.#lanes) this.#placeAside(lane, 'end');
    this.#endKey();
    this.#old = this.#current;
    this.#current = this.#create(about);
    this.#cutPts = pts;
    this.#cutClock = clock;
    if (jumped) this.#reach = NO_TIMESTAMP;
    const others = this.#lanes.filter(({ track }) => track !== this.#program!.reference);
    for (const lane of others) {
      if (lane.track.kind === 'audio' && !lane.track.isLeaving && (lane.continuous || lane.aside))
        lane.expected = 'cut';
      else if (lane.file && lane.track.missingBytes > 0) lane.expected = 'end';
    }
    for (const lane of others) {
      this.#placeAside(lane, 'cut');
      // What is still aside lies behind the cut.
      if (lane.aside || (lane.expected !== 'nothing' && this.#isThere(lane))) lane.expected = 'nothing';
    }
    this.#closeWhenComplete();
  }

  /** Ends the open segment here; but for the rest of PES in progress packets are dropped until the next `start`. */
  end(): void {
    this.flush();
    for (const lane of this.#lanes) this.#placeAside(lane, 'end');
    this.#endKey();
    for (const segment of [this.#old, this.#current]) if (segment) this.#retire(segment);
    this.#old = undefined;
    this.#current = undefined;
    this.#reach = NO_TIMESTAMP;
    for (const lane of this.#lanes) lane.end();
    this.#closeWhenComplete();
  }

  /** Nothing more goes into the segments that have ended. */
  close(): void {
    this.flush();
    for (const segment of this.#ended.splice(0)) this.#close(segment);
    if (this.#old) this.#close(this.#old);
  }

  /**
   * A PES of the reference track begins.
   *
   * @param clock its decoding time, by which the wait for the sound is measured
   */
  picture(track: ElementaryTrack, pts: number, clock: number, key: boolean): void {
    const lane = this.#lanes[track.index]!;
    const first = lane.file !== this.#current?.file;
    this.#endKey();
    lane.file = this.#current?.file;
    this.#whole(lane);
    if (this.#ended.length > 0) this.#waitFor(clock);
    if (!this.#current || pts === NO_TIMESTAMP) return;
    if (this.#old && timestampDelta(this.#cutClock, clock) > this.options.waitTicks) this.#giveUp();
    if (this.#reach === NO_TIMESTAMP || timestampDelta(this.#reach, pts) > 0) {
      this.#reach = pts;
      // A file begins with its picture, so what is due then comes with the next.
      if (!first) for (const other of this.#lanes) this.#placeAside(other, 'reach');
    }
    if (key && track.kind === 'video') {
      this.#keyLane = lane;
      this.#key = { offset: this.#offset(this.#current.file), bytes: 0, pts };
    }
  }

  /** A PES or section of another track begins; `jumped`: it is the first on the clock that the picture has jumped to. */
  begin(track: ElementaryTrack, pts: number, jumped: boolean): void {
    const lane = this.#lanes[track.index];
    if (!lane) return;
    this.#whole(lane);
    if (!this.#current) lane.file = undefined;
    else if (track.kind !== 'audio') {
      lane.file = this.#fileOf(lane, this.#current);
      this.#arrived(lane);
    } else {
      lane.continuous = true;
      if (lane.expected === 'cut' && pts !== NO_TIMESTAMP && (jumped || !this.#isBeforeCut(pts)))
        this.#arrived(lane);
      // Behind a jump, the sound that is still on the clock before it may seem to lead.
      const isLate = lane.expected === 'cut' && this.#isBeforeCut(pts);
      if (lane.aside || (!isLate && this.#leads(pts))) lane.putAside(pts);
      else this.#place(lane, pts);
    }
  }

  /** Packets of one track, side by side in `bytes[from, to)`. */
  packets(bytes: Uint8Array, from: number, to: number, track: ElementaryTrack): void {
    const lane = this.#lanes[track.index];
    if (lane === undefined) {
      // A PCR on a PID of its own.
      if (this.#current && this.#current.number >= this.#pcrSegment)
        this.#append(this.#current.file, bytes, from, to);
      else this.droppedPackets += (to - from) / PACKET_SIZE;
      return;
    }
    if (lane.aside) {
      lane.aside.add(bytes, from, to);
      if (lane.aside.bytes > LARGEST_ASIDE_BYTES) this.#placeAside(lane, 'end');
    } else if (lane.file) {
      this.#append(lane.file, bytes, from, to);
      if (lane === this.#keyLane) this.#key!.bytes = this.#offset(lane.file) - this.#key!.offset;
    } else this.droppedPackets += (to - from) / PACKET_SIZE;
    if (lane.expected !== 'nothing' && this.#isThere(lane)) this.#arrived(lane);
    if (this.#ended.length === 0) return;
    this.#endBytes += to - from;
    if (this.#endBytes > LONGEST_WAIT_BYTES) this.close();
    else if (lane.track.missingBytes === 0) this.#closeWhenComplete();
  }

  /** Copies the open run: its bytes are about to be reused. */
  flush(): void {
    this.#runFile?.append(this.#runBytes, this.#runFrom, this.#runTo);
    this.#runFile = undefined;
  }

  #append(file: PartFile, bytes: Uint8Array, from: number, to: number): void {
    if (file !== this.#runFile || bytes !== this.#runBytes || from !== this.#runTo) {
      this.flush();
      this.#runFile = file;
      this.#runBytes = bytes as Uint8Array<ArrayBuffer>;
      this.#runFrom = from;
    }
    this.#runTo = to;
  }

  #offset(file: PartFile): number {
    return file.bytes + (file === this.#runFile ? this.#runTo - this.#runFrom : 0);
  }

  #create(about: T): OpenSegment<T> {
    const { spool, prefix, disk } = this.options;
    const number = ++this.#segments;
    const file = new PartFile(join(spool, `${prefix}-${number}.part`), disk);
    for (const packets of this.#tables.next(this.#program!)) file.append(packets, 0, packets.length);
    return { file, about, keyPictures: [], number };
  }

  #endKey(): void {
    if (this.#key && this.#key.bytes > 0) this.#current?.keyPictures.push(this.#key);
    this.#key = undefined;
    this.#keyLane = undefined;
  }

  /** Whether sound of `pts` may turn out to lie behind a cut that is still to come. */
  #leads(pts: number): boolean {
    if (pts === NO_TIMESTAMP || this.#reach === NO_TIMESTAMP) return false;
    const lead = timestampDelta(this.#reach, pts);
    // Sound that leads by more than a cut waits for sound goes by arrival.
    return this.#program!.reference.kind === 'video' && lead > 0 && lead <= this.options.waitTicks;
  }

  #isBeforeCut(pts: number): boolean {
    const delta = timestampDelta(this.#cutPts, pts);
    return delta < 0 && delta > -SAME_CLOCK_TICKS;
  }

  /** Chooses the file of a PES of sound. */
  #place(lane: Lane, pts: number): void {
    // One without PTS follows the one before.
    if (pts === NO_TIMESTAMP && lane.file) return;
    const before = this.#old && lane.expected === 'cut' && this.#isBeforeCut(pts);
    lane.file = this.#fileOf(lane, before ? this.#old : this.#current);
  }

  /** `undefined` where the tables at the start of the file don't name the track. */
  #fileOf(lane: Lane, segment: OpenSegment<T> | undefined): PartFile | undefined {
    return segment && segment.number >= lane.firstSegment ? segment.file : undefined;
  }

  /** Places what was put aside: what lies before the cut, what the picture has reached, or all of it. */
  #placeAside(lane: Lane, upTo: 'cut' | 'reach' | 'end'): void {
    const { aside } = lane;
    if (!aside) return;
    const due = (pts: number): boolean => {
      if (upTo === 'end') return true;
      return upTo === 'cut' ? this.#isBeforeCut(pts) : !this.#leads(pts);
    };
    this.flush();
    while (!aside.empty && due(aside.firstPts)) {
      this.#place(lane, aside.firstPts);
      this.droppedPackets += aside.takeFirst(lane.file);
    }
    if (aside.empty) lane.clearAside();
  }

  /** Whether what is expected of the lane has come with its last packet. */
  #isThere({ expected, track }: Lane): boolean {
    const { missingBytes, pts, counter } = track;
    // Amid a frame its length may be wrong: the next PES will tell.
    if (missingBytes !== 0 || (counter && !counter.isBetween)) return false;
    if (expected === 'end') return true;
    if (pts === NO_TIMESTAMP || !counter || counter.ticks === 0) return false;
    return timestampDelta(this.#cutPts, pts) + counter.ticks >= ROUNDING_TICKS;
  }

  #arrived(lane: Lane): void {
    if (lane.expected === 'nothing') return;
    lane.expected = 'nothing';
    this.#closeWhenComplete();
  }

  /** The next PES of the lane has begun: of the one before nothing is expected any more. */
  #whole(lane: Lane): void {
    if (lane.expected === 'end') this.#arrived(lane);
  }

  /** Only the rest of PES in progress goes into the segment. */
  #retire(segment: OpenSegment<T>): void {
    if (this.#ended.length === 0) {
      this.#endClock = NO_TIMESTAMP;
      this.#endBytes = 0;
    }
    this.#ended.push(segment);
  }

  /** Pictures have come as far as `clock` since the end. */
  #waitFor(clock: number): void {
    if (clock === NO_TIMESTAMP) return;
    if (this.#endClock === NO_TIMESTAMP) this.#endClock = clock;
    if (Math.abs(timestampDelta(this.#endClock, clock)) > this.options.waitTicks) this.close();
  }

  /** The old segment has waited long enough. */
  #giveUp(): void {
    for (const lane of this.#lanes) if (lane.expected === 'cut') lane.continuous = false;
    this.close();
  }

  #closeWhenComplete(): void {
    const isOpen = ({ file }: OpenSegment<T>): boolean =>
      this.#lanes.some(
        (lane) => lane.expected !== 'nothing' && lane.file === file && lane.track.missingBytes > 0,
      );
    while (this.#ended[0] && !isOpen(this.#ended[0])) this.#close(this.#ended.shift()!);
    if (this.#ended.length > 0 || !this.#old) return;
    if (this.#lanes.every(({ expected }) => expected === 'nothing')) this.#close(this.#old);
  }

  #close(segment: OpenSegment<T>): void {
    this.flush();
    const isOld = segment === this.#old;
    if (isOld) this.#old = undefined;
    for (const lane of this.#lanes) {
      const isHere = lane.file === segment.file;
      if (lane.expected === 'cut' ? isOld : isHere) lane.expected = 'nothing';
      // The rest of a PES that did not end in time has no file to go to.
      if (isHere) lane.file = undefined;
    }
    this.options.closed(segment);
  }
}
