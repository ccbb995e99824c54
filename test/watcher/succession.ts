/** How one version of a media playlist may follow another (rules 2, 4, 8, 9, 11, 12, 13, 18). */
import { durationOf, type MediaPlaylist } from './media-playlist.js';

export interface Fault {
  rule: number;
  message: string;
}

export interface Succession {
  faults: Fault[];
  /** Not a newer version at all: what was seen before stands. */
  stale: boolean;
  /** How many entries left the head. */
  removed: number;
  /** Index of the first new entry in the later playlist. */
  firstNew: number;
}

export interface SuccessionOptions {
  /** A declared outage: the live edge may skip what no version listed. */
  maySkip: boolean;
  /** Entries below which nothing may leave the head, once there were so many (rule 9). */
  minimumSegments: number;
}

export function follow(before: MediaPlaylist, after: MediaPlaylist, options: SuccessionOptions): Succession {
  const faults: Fault[] = [];
  const fault = (rule: number, message: string): void => void faults.push({ rule, message });
  if (before.ended) fault(18, 'changed after EXT-X-ENDLIST');
  headers(before, after, fault);

  const raised = after.mediaSequence - before.mediaSequence;
  if (raised < 0) {
    fault(8, `EXT-X-MEDIA-SEQUENCE went down from ${before.mediaSequence} to ${after.mediaSequence}`);
    return { faults, stale: true, removed: 0, firstNew: after.segments.length };
  }
  const skipped = raised - before.segments.length;
  if (skipped > 0 && !options.maySkip)
    fault(
      8,
      `EXT-X-MEDIA-SEQUENCE rose by ${raised}, and only ${before.segments.length} entries could leave`,
    );

  let removed = Math.min(raised, before.segments.length);
  let stale = false;
  if (!overlaps(before, after, removed)) {
    const other = realOverlap(before, after);
    const kept = before.segments.length - removed;
    if (other !== undefined) {
      fault(8, `${other} entries left the head, but EXT-X-MEDIA-SEQUENCE rose by ${raised}`);
      removed = other;
    } else if (after.segments.length < kept && overlaps(before, after, removed, after.segments.length)) {
      fault(4, `the last ${kept - after.segments.length} entries are gone from the tail`);
      stale = true;
    } else fault(4, difference(before, after, removed));
  }
  if (after.type !== undefined && removed > 0)
    fault(12, `entries left the head of a playlist of type ${after.type}`);
  discontinuities(before, after, removed, skipped, fault);
  // After an outage three target durations are enough to go on with at the live edge.
  const minimumSegments = skipped > 0 ? 0 : options.minimumSegments;
  if (!stale && removed > 0 && !after.ended) length(after, minimumSegments, fault);
  const firstNew = stale ? after.segments.length : Math.max(0, before.segments.length - removed);
  return { faults, stale, removed: stale ? 0 : removed, firstNew };
}

type Report = (rule: number, message: string) => void;

function headers(before: MediaPlaylist, after: MediaPlaylist, fault: Report): void {
  if (after.targetDuration !== before.targetDuration)
    fault(2, `EXT-X-TARGETDURATION changed from ${before.targetDuration} to ${after.targetDuration}`);
  if (after.version !== before.version)
    fault(13, `EXT-X-VERSION changed from ${before.version} to ${after.version}`);
  if (after.type !== before.type) fault(12, 'EXT-X-PLAYLIST-TYPE changed');
  if (after.independentSegments && !before.independentSegments)
    fault(4, 'EXT-X-INDEPENDENT-SEGMENTS came later');
  if (after.otherHeaders.join('\n') !== before.otherHeaders.join('\n'))
    fault(4, 'another header tag changed');
}

function discontinuities(
  before: MediaPlaylist,
  after: MediaPlaylist,
  removed: number,
  skipped: number,
  fault: Report,
): void {
  if (before.discontinuitySequence === undefined || after.discontinuitySequence === undefined) return;
  const tagged = before.segments.slice(0, removed).filter((segment) => segment.discontinuity).length;
  const expected = before.discontinuitySequence + tagged;
  const wrong =
    skipped > 0 ? after.discontinuitySequence < expected : after.discontinuitySequence !== expected;
  if (wrong)
    fault(
      11,
      `EXT-X-DISCONTINUITY-SEQUENCE is ${after.discontinuitySequence} after ${before.discontinuitySequence}, ` +
        `though ${tagged} discontinuities left the head`,
    );
}

function length(after: MediaPlaylist, minimumSegments: number, fault: Report): void {
  const seconds = durationOf(after);
  const count = after.segments.length;
  if (seconds < 3 * after.targetDuration)
    fault(9, `shortened to ${seconds.toFixed(3)} s, less than three target durations`);
  else if (count < minimumSegments) fault(9, `shortened to ${count} entries, less than ${minimumSegments}`);
}

/** Whether all (or the given number) that stayed of the former playlist is the later one's beginning. */
function overlaps(before: MediaPlaylist, after: MediaPlaylist, removed: number, count?: number): boolean {
  return before.segments
    .slice(removed, count === undefined ? undefined : removed + count)
    .every((segment, i) => segment.lines.join('\n') === after.segments[i]?.lines.join('\n'));
}

/** How many left by the entries themselves, whatever the number says; gaps look too much alike to tell. */
function realOverlap(before: MediaPlaylist, after: MediaPlaylist): number | undefined {
  for (let removed = 0; removed < before.segments.length; removed += 1) {
    const real = before.segments.slice(removed).some((segment) => !segment.gap);
    if (real && overlaps(before, after, removed)) return removed;
  }
  return undefined;
}

function difference(before: MediaPlaylist, after: MediaPlaylist, removed: number): string {
  const stayed = before.segments.slice(removed);
  const at = stayed.findIndex(
    (segment, i) => segment.lines.join('\n') !== after.segments[i]?.lines.join('\n'),
  );
  const [was, is] = [stayed[at]?.lines.join(' '), after.segments[at]?.lines.join(' ') ?? 'nothing'];
  return `entry ${after.mediaSequence + at} changed from "${was}" to "${is}"`;
}
