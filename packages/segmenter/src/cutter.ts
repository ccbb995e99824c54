import type { DiscontinuityReason } from '@hls-uplink/protocol';
import { NO_TIMESTAMP, TICKS_PER_SECOND, timestampDelta, wrapTimestamp } from '@hls-uplink/mpegts';

/** What a new picture (audio alone: PES) means for the open segment. */
export type Decision =
  /** No segment is open, and none can start here. */
  | 'wait'
  /** The first of a segment; none is open. */
  | 'start'
  /** It belongs to the open segment. */
  | 'on'
  /** It ends the open segment and starts the next, by the rule. */
  | 'cut'
  /** As `cut`, but by the limit of the target duration: it may be no key picture. */
  | 'forced'
  /** As `cut`, but the tracks change here: the next segment has a discontinuity. */
  | 'change'
  /** The open segment ends with the picture before, and the next may start later. */
  | 'break'
  /** As `break`, and this picture starts the next segment, with a discontinuity. */
  | 'break-start';

/** Until the channel has told its target duration, segments end at this many times the own one. */
const UNTOLD_LIMIT = 3;
/** A silence from which on a segment that it makes too long is ended before it: ticks, and pictures. */
const GAP_TICKS = TICKS_PER_SECOND;
const GAP_PICTURES = 16;

/**
 * Decides where segments end. The rule: at a key picture whose slot, `floor(raw PTS / target)`, differs from that of
 * the key picture before it. It has no other memory, so whoever joins later cuts at the same pictures; after a wrap of
 * the 33 bits the slot always differs.
 *
 * Where no key picture comes for as long as a segment may be, every picture counts as one until the first comes, which
 * cuts whatever its slot: such a stream is cut at the slots all the same. Who saw a key picture long ago notices that
 * when a segment that had to begin without one has to end without one, and then cuts like those who joined later.
 */
export class Cutter {
  /** Why the segment that was started last does not go on from the one before it. */
  discontinuity: DiscontinuityReason | undefined;
  /** PTS where the segment before it ended, if it was cut. */
  endPts = NO_TIMESTAMP;
  readonly #targetTicks: number;
  #limitTicks: number;
  #open = false;
  #start = 0;
  /** Largest PTS of the open segment, ticks after `#start`. */
  #reach = 0;
  /** How far one picture's PTS has gone beyond all before it: more than a picture where there are B pictures. */
  #step = 0;
  #keySlot = -1;
  #pending: DiscontinuityReason | undefined = 'start';
  #change = false;
  #keyless = false;
  /** The open segment had to begin without a key picture, and none has come since. */
  #isForced = false;
  /** PTS of the first picture that no segment could start at, and the furthest one since. */
  #waitingSince = NO_TIMESTAMP;
  #waitingReach = 0;

  constructor(targetSeconds: number) {
    this.#targetTicks = targetSeconds * TICKS_PER_SECOND;
    this.#limitTicks = roundsAbove(Math.max(1, Math.round(UNTOLD_LIMIT * targetSeconds)));
  }

  /** The channel's EXT-X-TARGETDURATION, seconds: no segment may round above it (RFC 8216 §4.3.3.1). */
  setTargetDuration(seconds: number): void {
    this.#limitTicks = roundsAbove(seconds);
  }

  /** Whatever comes next starts anew, at the next key picture. */
  break(reason: DiscontinuityReason): void {
    this.#open = false;
    this.#change = false;
    this.#waitingSince = NO_TIMESTAMP;
    // An input that was away outweighs whatever else happened to it.
    if (this.#pending !== 'start') this.#pending = reason;
  }

  /** The tracks have changed, but pictures go on: the segment ends at the next key picture. */
  change(): void {
    if (this.#open) this.#change = true;
    else this.break('tables');
  }

  /**
   * @param pts raw, or `NO_TIMESTAMP`: such a picture never cuts
   * @param jumped the timestamps have jumped before it
   * @param changed the parameters of the codec have changed before it
   * @param frameTicks how long a picture is shown
   */
  unit(pts: number, key: boolean, jumped: boolean, changed: boolean, frameTicks: number): Decision {
    const wasOpen = this.#open;
    if (jumped) this.break('timestamps');
    else if (changed) this.break('tables');
    if (!this.#open) return this.#begin(pts, key, wasOpen);
    if (pts === NO_TIMESTAMP) return 'on';
    const since = timestampDelta(this.#start, pts);
    const gap = Math.max(GAP_TICKS, GAP_PICTURES * frameTicks);
    if (since >= this.#limitTicks && since - this.#reach > gap && this.#reach < this.#limitTicks) {
      this.break('timestamps');
      return this.#begin(pts, key, true);
    }
    this.#step = Math.max(this.#step, Math.min(since - this.#reach, gap));
    const isFirstKey = key && this.#keyless;
    if (key) this.#keyless = this.#isForced = false;
    // B pictures may go back over the border of a slot.
    const counts = key || (this.#keyless && since > this.#reach);
    const slot = this.slot(pts);
    const cut = counts && (slot !== this.#keySlot || isFirstKey);
    if (counts) this.#keySlot = slot;
    // A picture that is shown until too late: said to end in time, the next one follows all the same.
    const isOver = since >= this.#limitTicks && this.#reach < this.#limitTicks;
    this.endPts = isOver ? wrapTimestamp(this.#start + this.#limitTicks - 1) : pts;
    if (this.#change && counts) return this.#next(pts, 'change', 'tables');
    if (cut) return this.#next(pts, 'cut', undefined);
    if (since > 0 && since + Math.max(frameTicks, this.#step) >= this.#limitTicks) {
      if (this.#isForced) {
        this.#keyless = true;
        this.#keySlot = slot;
      }
      return this.#change ? this.#next(pts, 'change', 'tables') : this.#next(pts, 'forced', undefined);
    }
    if (since > this.#reach) this.#reach = since;
    return 'on';
  }

  #begin(pts: number, key: boolean, wasOpen: boolean): Decision {
    if (key && pts !== NO_TIMESTAMP) this.#keyless = false;
    else if (pts === NO_TIMESTAMP || !(this.#keyless ||= this.#isInVain(pts)))
      return wasOpen ? 'break' : 'wait';
    this.#open = true;
    this.#waitingSince = NO_TIMESTAMP;
    this.#keySlot = this.slot(pts);
    const reason = this.#pending;
    this.#pending = undefined;
    return this.#next(pts, wasOpen ? 'break-start' : 'start', reason);
  }

  /** Whether a key picture was waited for long enough, and a slot begins. */
  #isInVain(pts: number): boolean {
    if (this.#waitingSince === NO_TIMESTAMP) {
      this.#waitingSince = pts;
      this.#waitingReach = 0;
      this.#keySlot = this.slot(pts);
      return false;
    }
    const waited = timestampDelta(this.#waitingSince, pts);
    if (waited <= this.#waitingReach) return false;
    this.#waitingReach = waited;
    const slot = this.slot(pts);
    const begins = slot !== this.#keySlot;
    this.#keySlot = slot;
    return begins && waited >= this.#limitTicks;
  }

  /** The value that the cut goes by. */
  slot(pts: number): number {
    return Math.floor(pts / this.#targetTicks);
  }

  #next(pts: number, decision: Decision, discontinuity: DiscontinuityReason | undefined): Decision {
    this.#start = pts;
    this.#reach = 0;
    // Whoever joined later must know as much: what earlier segments were like plays no part.
    this.#step = 0;
    this.#change = false;
    this.#isForced = decision === 'forced';
    this.discontinuity = discontinuity;
    return decision;
  }
}

/** The shortest duration, in ticks, that rounds above `seconds`. */
function roundsAbove(seconds: number): number {
  return (seconds + 0.5) * TICKS_PER_SECOND;
}
