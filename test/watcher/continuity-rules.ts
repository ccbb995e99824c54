/** How segments of one rendition join (rules 7, 14, 15, 24, 25). */
import type { History, ObservedSegment, RenditionHistory, Violation } from './history.js';
import { audioHole, audioTolerance90k, startOf, unitTicks, type SegmentFacts } from './segment-facts.js';
import { name } from './segment-rules.js';
import { follows, same, ticksBetween } from './transport-stream.js';

export function judgeContinuity(history: History): Violation[] {
  return history.renditions.flatMap((rendition) => new Walk().walk(rendition));
}

/** Farther than this off, timestamps have not slipped but changed (rule 7). */
const jump90k = 90_000;
/** The last pictures of a stream may be without sound for so long: what an encoder holds back of it when it is stopped. */
const CUT_OFF_SECONDS = 1;

interface Known {
  segment: ObservedSegment;
  facts: SegmentFacts;
  start: number;
}

class Walk {
  private readonly violations: Violation[] = [];
  private last: Known | undefined;
  /** Ticks by EXTINF and by PTS since the epoch's first known segment. */
  private byExtinf = 0;
  private byPts = 0;
  /** Entries between the last known segment and now, in ticks of EXTINF. */
  private since = 0;

  walk(rendition: RenditionHistory): Violation[] {
    let before: ObservedSegment | undefined;
    for (const segment of rendition.segments) {
      const skipped =
        before !== undefined && (before.life !== segment.life || before.number + 1 !== segment.number);
      if (segment.discontinuity || skipped) {
        this.close();
        this.last = undefined;
      }
      this.step(segment, before);
      before = segment;
    }
    this.close();
    return this.violations;
  }

  private step(segment: ObservedSegment, before: ObservedSegment | undefined): void {
    const { facts } = segment;
    const start = facts && startOf(facts);
    if (segment.gap || facts === undefined || start === undefined) {
      this.since += segment.durationSeconds * 90_000;
      return;
    }
    const now: Known = { segment, facts, start };
    const { last } = this;
    if (last === undefined) this.byExtinf = this.byPts = 0;
    else if (!this.parametersChanged(last, now)) {
      this.byExtinf += this.since;
      this.join(last, now, before === last.segment);
    }
    this.last = now;
    this.since = segment.durationSeconds * 90_000;
  }

  /** The epoch's last segment has no successor; its length is what it holds. */
  private close(): void {
    const { last } = this;
    const video = last?.facts.video;
    if (last === undefined || video === undefined || this.since !== last.segment.durationSeconds * 90_000)
      return;
    const held = video.maxPts + unitTicks(last.facts) - video.firstPts;
    const off = this.since - held;
    // Where the cut was to be is not seen: a picture of doubt more, and what an open GOP would have led with.
    if (Math.abs(off) > 2 * unitTicks(last.facts) + video.leadTicks)
      this.say(last.segment, 15, `EXTINF is ${ms(off)} off its pictures`);
  }

  private join(last: Known, now: Known, adjacent: boolean): void {
    const frame = unitTicks(now.facts);
    const distance = ticksBetween(last.start, now.start);
    const off = this.since - distance;
    const what = adjacent ? 'its own before' : 'those since';
    if (Math.abs(off) > jump90k) {
      this.say(now.segment, 7, `timestamps jump by ${ms(-off)} against EXTINF without EXT-X-DISCONTINUITY`);
      this.restart();
      return;
    }
    this.byPts += distance;
    const drift = this.byExtinf - this.byPts;
    const message = `EXTINF sums are ${ms(drift)} off the pictures here (${what}: ${ms(off)})`;
    if (Math.abs(off) > frame + 90 || Math.abs(drift) > frame + 90) {
      this.say(now.segment, 15, message);
      this.restart();
    } else this.datesRunOn(last, now, distance);
    if (adjacent) this.runOn(last, now);
  }

  /** One fault is one violation: sums start anew behind it. */
  private restart(): void {
    this.byExtinf = this.byPts = 0;
  }

  /** Rule 14: the same clock means the same mapping to dates. */
  private datesRunOn(last: Known, now: Known, distance: number): void {
    if (last.segment.dateMs === undefined || now.segment.dateMs === undefined) return;
    const off = now.segment.dateMs - last.segment.dateMs - distance / 90;
    if (Math.abs(off) > unitTicks(now.facts) / 90 + 1)
      this.say(now.segment, 14, `its date is ${off.toFixed(1)} ms off its timestamps`);
  }

  private parametersChanged(last: Known, now: Known): boolean {
    // Without parameter sets a segment breaks another rule; what it changes to is not known.
    const unknown = [last, now].some(
      ({ facts }) => facts.video !== undefined && facts.video.codec === undefined,
    );
    const sound = !isCutOff(now.segment);
    const [was, is] = [describe(last.facts, sound), describe(now.facts, sound)];
    if (unknown || was === is) return false;
    this.say(now.segment, 7, `tracks or parameters change without EXT-X-DISCONTINUITY from ${was} to ${is}`);
    this.restart();
    return true;
  }

  /** Rule 24: counters and timestamps go on where nothing lies between. */
  private runOn(last: Known, now: Known): void {
    const [before, after] = [last.facts, now.facts];
    for (const [pid, ends] of after.pids) {
      const was = before.pids.get(pid);
      if (was === undefined || ends.firstMayBreak || follows(was.last, ends.first, true)) continue;
      // A packet sent twice keeps its counter (ISO/IEC 13818-1 §2.4.3.3).
      if (same(was.lastPacket, ends.firstPacket)) continue;
      this.say(now.segment, 24, `PID ${pid}: continuity counter ${ends.first} after ${was.last}`);
    }
    if (before.video !== undefined && after.video !== undefined) {
      const frame = unitTicks(after);
      const step = ticksBetween(before.video.lastDts, after.video.firstDts);
      if (step <= 0 || step > 1.5 * frame)
        this.say(now.segment, 24, `video DTS goes on after ${ms(step)} where a picture takes ${ms(frame)}`);
    }
    for (const track of after.audio) {
      const end = before.audio.find(({ pid }) => pid === track.pid)?.endPts;
      const hole = end === undefined ? 0 : ticksBetween(end, track.firstPts);
      if (Math.abs(hole) > audioTolerance90k)
        this.say(now.segment, 24, `PID ${track.pid}: ${audioHole(hole)}`);
    }
  }

  private say(segment: ObservedSegment, rule: number, message: string): void {
    this.violations.push({
      rule,
      rendition: segment.rendition,
      message: `${name(segment)}: ${message}`,
      at: segment.listedAt,
    });
  }
}

function ms(ticks: number): string {
  return `${(ticks / 90).toFixed(1)} ms`;
}

/** The encoder stopped before any sound came for its last pictures. */
export function isCutOff({ facts, durationSeconds }: ObservedSegment): boolean {
  return facts?.video !== undefined && facts.audio.length === 0 && durationSeconds < CUT_OFF_SECONDS;
}

/** Track set and encoding parameters, comparable. @param sound that of the sound, too, or only that it is named */
function describe(facts: SegmentFacts, sound: boolean): string {
  const types = facts.streams.map(({ streamType }) => `0x${streamType.toString(16)}`);
  const video = facts.video && `${facts.video.codec ?? '?'} ${facts.video.resolution ?? '?'}`;
  const audio = facts.audio.map(({ frames }) =>
    frames === undefined ? '?' : `${frames.codec} ${frames.sampleRate} Hz ${frames.channels} channels`,
  );
  return [types.join('+'), video, ...(sound ? audio : [])].filter(Boolean).join(', ');
}
