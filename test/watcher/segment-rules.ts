/** What each listed segment must be and how it is served (rules 3, 10, 16, 22–25). */
import type { History, Judgement, ObservedSegment, RenditionHistory, Violation } from './history.js';

export function judgeSegments(history: History, judgement: Judgement): Violation[] {
  return history.renditions.flatMap((rendition) => [
    ...rendition.segments.flatMap((segment) => [
      ...fetched(segment),
      ...sound(segment),
      ...retained(segment, judgement.slackMs),
    ]),
    ...independent(rendition),
  ]);
}

export function name(segment: ObservedSegment): string {
  return `entry ${segment.number} (${segment.uri})`;
}

function violation(
  segment: ObservedSegment,
  rule: number,
  message: string,
  at = segment.listedAt,
): Violation {
  return { rule, rendition: segment.rendition, message: `${name(segment)}: ${message}`, at };
}

/** Rule 3: there when listed, whole, and faster than it plays. */
function fetched(segment: ObservedSegment): Violation[] {
  const { fetch } = segment;
  if (fetch === undefined) return [];
  const say = (message: string): Violation[] => [violation(segment, 3, message, fetch.at)];
  if (fetch.status !== 200) return say(fetch.error ?? `status ${fetch.status} when listed`);
  if (!fetch.complete) return say('the body was cut short');
  const limitMs = Math.max(segment.durationSeconds, 1) * 1000;
  return fetch.tookMs > limitMs
    ? say(`took ${fetch.tookMs} ms for ${segment.durationSeconds} s of media`)
    : [];
}

/** Rules 22 to 25, as far as one segment alone shows. */
function sound(segment: ObservedSegment): Violation[] {
  return (segment.facts?.problems ?? []).map(({ rule, message }) => violation(segment, rule, message));
}

/** When a removed segment may vanish (rule 10), milliseconds since 1970. */
export function retainedUntil(segment: ObservedSegment): number | undefined {
  if (segment.removedAt === undefined || segment.gap) return undefined;
  return segment.removedAt + (segment.durationSeconds + segment.longestListing) * 1000;
}

function retained(segment: ObservedSegment, slackMs: number): Violation[] {
  const until = retainedUntil(segment);
  if (until === undefined) return [];
  const missing = segment.probes.find((probe) => probe.status !== 200 && probe.at < until - slackMs);
  if (missing === undefined) return [];
  const left = ((until - missing.at) / 1000).toFixed(1);
  return [violation(segment, 10, `status ${missing.status}, ${left} s before it may go`, missing.at)];
}

/** Rule 16, and the tag's withdrawal, which only a segment that is not independent excuses (rule 4). */
function independent(rendition: RenditionHistory): Violation[] {
  const say = (rule: number, message: string, at: number): Violation => ({
    rule,
    rendition: rendition.name,
    message,
    at,
  });
  const known = rendition.segments.filter((segment) => segment.facts !== undefined);
  const dependent = known.filter(({ facts }) => facts?.video !== undefined && !facts.video.randomAccess);
  const { versions } = rendition;
  const tagged = versions.filter(({ playlist }) => playlist.independentSegments);
  const violations = dependent.flatMap((segment) => {
    const listing = tagged.find(
      ({ life, playlist }) =>
        life === segment.life &&
        segment.number >= playlist.mediaSequence &&
        segment.number < playlist.mediaSequence + playlist.segments.length,
    );
    const message = 'starts on no random access point, though EXT-X-INDEPENDENT-SEGMENTS stands';
    return listing === undefined ? [] : [violation(segment, 16, message, listing.at)];
  });
  const without = versions.find(({ playlist }) => !playlist.independentSegments);
  if (without === undefined || known.length === 0) return violations;
  if (dependent.some((segment) => segment.life === without.life && segment.listedAt <= without.at))
    return violations;
  const withdrawn = tagged.some(({ life, at }) => life === without.life && at < without.at);
  violations.push(
    withdrawn
      ? say(4, 'EXT-X-INDEPENDENT-SEGMENTS was withdrawn without need', without.at)
      : say(
          16,
          'no EXT-X-INDEPENDENT-SEGMENTS, though every segment starts on a random access point',
          without.at,
        ),
  );
  return violations;
}
