/** How renditions of one channel agree (rules 2, 14, 20). */
import type { History, Judgement, ObservedSegment, RenditionHistory, Violation } from './history.js';
import { startOf, unitTicks } from './segment-facts.js';
import { name } from './segment-rules.js';
import { ticksBetween } from './transport-stream.js';

export function judgeAlignment(history: History, { sharingClock }: Judgement): Violation[] {
  const aligned = history.renditions.filter((rendition) => sharingClock(rendition.name));
  const others = history.renditions.filter((rendition) => !sharingClock(rendition.name));
  const measure = aligned[0] ?? others[0];
  return [
    ...sameTarget(history.renditions),
    ...sameNumbers(aligned),
    ...sameInstants(aligned),
    ...others.flatMap((rendition) =>
      rendition === measure || measure === undefined
        ? []
        : [...sameDiscontinuities(measure, rendition), ...sameDiscontinuities(rendition, measure)],
    ),
  ];
}

function say(segment: ObservedSegment, rule: number, message: string): Violation {
  return {
    rule,
    rendition: segment.rendition,
    message: `${name(segment)}: ${message}`,
    at: segment.listedAt,
  };
}

/** Rule 2, between variants, life by life. */
function sameTarget(renditions: readonly RenditionHistory[]): Violation[] {
  const targets = new Map<number, { target: number; of: string }>();
  return renditions.flatMap((rendition) =>
    [...new Map(rendition.versions.map((version) => [version.life, version]))].flatMap(([life]) => {
      // The first version of a life fixes it; later changes are told as such.
      const first = rendition.versions.find((version) => version.life === life);
      const target = first?.playlist.targetDuration ?? 0;
      const other = targets.get(life);
      if (other === undefined) targets.set(life, { target, of: rendition.name });
      if (other === undefined || other.target === target) return [];
      const message = `EXT-X-TARGETDURATION is ${target}, and ${other.target} in ${other.of}`;
      return [{ rule: 2, rendition: rendition.name, message, at: first?.at ?? 0 }];
    }),
  );
}

const dateToleranceMs = 2;

/** Rule 20: the same number is the same slot, in content, length, discontinuity and its sequence. */
function sameNumbers(renditions: readonly RenditionHistory[]): Violation[] {
  const slots = new Map<string, ObservedSegment[]>();
  for (const segment of renditions.flatMap(({ segments }) => segments)) {
    const key = `${segment.life}/${segment.number}`;
    slots.set(key, [...(slots.get(key) ?? []), segment]);
  }
  return [...slots.values()].flatMap((slot) => {
    // A gap has no content to compare with: a real one is the measure.
    const measure = slot.find((segment) => segment.facts !== undefined) ?? slot[0];
    return slot.flatMap((segment) => (measure && segment !== measure ? sameSlot(measure, segment) : []));
  });
}

function sameSlot(measure: ObservedSegment, segment: ObservedSegment): Violation[] {
  const say20 = (message: string): Violation[] => [say(segment, 20, `${message} in ${measure.rendition}`)];
  if (segment.discontinuitySequence !== measure.discontinuitySequence)
    return say20(
      `discontinuity sequence number ${segment.discontinuitySequence}, and ${measure.discontinuitySequence}`,
    );
  if (segment.discontinuity !== measure.discontinuity)
    return say20(segment.discontinuity ? 'discontinuity, and none' : 'no discontinuity, and one');
  const [own, other] = [segment.facts && startOf(segment.facts), measure.facts && startOf(measure.facts)];
  const toleranceMs = measure.facts === undefined ? 50 : unitTicks(measure.facts) / 90 + 1;
  if (own !== undefined && other !== undefined) {
    const apart = ticksBetween(other, own);
    if (apart !== 0) return say20(`starts ${(apart / 90).toFixed(1)} ms away from the same number`);
  } else if (segment.dateMs !== undefined && measure.dateMs !== undefined) {
    const apart = segment.dateMs - measure.dateMs;
    if (Math.abs(apart) > toleranceMs) return say20(`its date is ${apart.toFixed(1)} ms off the same number`);
  }
  const longer = (segment.durationSeconds - measure.durationSeconds) * 1000;
  return Math.abs(longer) > toleranceMs ? say20(`${longer.toFixed(1)} ms longer than the same number`) : [];
}

/** Rule 14: what has the same timestamp, in the same epoch, has the same date. */
function sameInstants(renditions: readonly RenditionHistory[]): Violation[] {
  const instants = new Map<string, ObservedSegment>();
  return renditions.flatMap(({ segments }) =>
    segments.flatMap((segment) => {
      const start = segment.facts && startOf(segment.facts);
      if (start === undefined || segment.dateMs === undefined) return [];
      const key = `${segment.life}/${segment.discontinuitySequence}/${start}`;
      const known = instants.get(key);
      if (known === undefined) instants.set(key, segment);
      const apart = segment.dateMs - (known?.dateMs ?? segment.dateMs);
      if (known === undefined || Math.abs(apart) <= dateToleranceMs) return [];
      return [say(segment, 14, `dates the same timestamp ${apart.toFixed(1)} ms off ${known.rendition}`)];
    }),
  );
}

/** Rule 20 for another clock: the discontinuity sequence changes at the same date, within a slot. */
function sameDiscontinuities(measure: RenditionHistory, rendition: RenditionHistory): Violation[] {
  const first = (of: RenditionHistory): Map<string, ObservedSegment> => {
    const map = new Map<string, ObservedSegment>();
    for (const segment of of.segments.filter(({ discontinuity }) => discontinuity))
      map.set(`${segment.life}/${segment.discontinuitySequence}`, segment);
    return map;
  };
  const slotMs = (rendition.versions[0]?.playlist.targetDuration ?? 0) * 1000;
  const other = first(measure);
  return [...first(rendition)].flatMap(([key, segment]) => {
    const same = other.get(key);
    if (same === undefined) {
      const reached = measure.segments.some(
        ({ life, dateMs }) => life === segment.life && (dateMs ?? 0) > (segment.dateMs ?? 0) + slotMs,
      );
      return reached ? [say(segment, 20, `discontinuity that ${measure.name} does not have`)] : [];
    }
    const apart = (segment.dateMs ?? 0) - (same.dateMs ?? 0);
    if (Math.abs(apart) <= slotMs) return [];
    return [say(segment, 20, `discontinuity ${apart.toFixed(0)} ms away from that of ${measure.name}`)];
  });
}
