/** When things must have happened (rules 5, 18, and the live edges of rule 20). */
import {
  ended,
  lastLife,
  type History,
  type Judgement,
  type Pause,
  type RenditionHistory,
  type Violation,
} from './history.js';

export function judgeTiming(history: History, judgement: Judgement): Violation[] {
  return [
    ...history.renditions.flatMap((rendition) => updates(rendition, history.pauses, judgement.slackMs)),
    ...edges(history, judgement),
    ...ends(history, judgement.slackMs),
  ];
}

/** Rule 5, per life: counted anew from the end of each declared stall. */
function updates(rendition: RenditionHistory, pauses: readonly Pause[], slackMs: number): Violation[] {
  const violations: Violation[] = [];
  let last: { at: number; life: number } | undefined;
  const check = (to: number, target: number): void => {
    if (last === undefined) return;
    const limitMs = target * 1500;
    let from = last.at;
    const late = (until: number): void => {
      if (until - from <= limitMs + slackMs) return;
      const message = `no new segment for ${until - from} ms, more than 1.5 × ${target} s`;
      violations.push({ rule: 5, rendition: rendition.name, message, at: from + limitMs });
    };
    for (const pause of [...pauses].sort((a, b) => a.from - b.from)) {
      if ((pause.to ?? Infinity) <= from || pause.from >= to) continue;
      late(pause.from);
      from = Math.max(from, pause.to ?? Infinity);
    }
    late(to);
  };
  for (const { at, life, appended, playlist } of rendition.versions) {
    if (last !== undefined && life !== last.life) last = undefined;
    if (appended > 0 || playlist.ended) {
      check(at, playlist.targetDuration);
      last = playlist.ended ? undefined : { at, life };
    }
  }
  check(rendition.seenAt, rendition.versions.at(-1)?.playlist.targetDuration ?? 0);
  return violations;
}

/** Rule 20: the ends of the playlists, as dates, lie within one target duration of each other. */
function edges(history: History, { sharingClock, slackMs }: Judgement): Violation[] {
  const events = history.renditions
    .flatMap((rendition) => rendition.versions.map((version) => ({ rendition, version })))
    .sort((a, b) => a.version.at - b.version.at);
  const edge = new Map<RenditionHistory, { life: number; ms: number }>();
  const end = Math.max(0, ...history.renditions.map(({ seenAt }) => seenAt));
  let apartFor = 0;
  let told = false;
  const violations: Violation[] = [];
  events.forEach(({ rendition, version }, i) => {
    const ms = edgeOf(rendition, version.at);
    if (ms !== undefined) edge.set(rendition, { life: version.life, ms });
    const life = Math.max(...[...edge.values()].map((one) => one.life));
    const current = [...edge].filter(([, one]) => one.life === life).sort((a, b) => a[1].ms - b[1].ms);
    const [behind, ahead] = [current[0], current.at(-1)];
    if (behind === undefined || ahead === undefined) return;
    const target = version.playlist.targetDuration * 1000;
    const allowed = sharingClock(behind[0].name) && sharingClock(ahead[0].name) ? target : 2 * target;
    const apart = ahead[1].ms - behind[1].ms;
    const until = events[i + 1]?.version.at ?? end;
    if (apart <= allowed + edgeToleranceMs) {
      apartFor = 0;
      told = false;
      return;
    }
    apartFor += outside(version.at, until, history.pauses);
    if (apartFor <= slackMs || told) return;
    told = true;
    const message = `its live edge is ${apart.toFixed(0)} ms behind that of ${ahead[0].name}`;
    violations.push({ rule: 20, rendition: behind[0].name, message, at: version.at });
  });
  return violations;
}

/** Less than any picture lasts: rounding of dates. */
const edgeToleranceMs = 5;

function edgeOf(rendition: RenditionHistory, at: number): number | undefined {
  const listed = rendition.segments.filter((segment) => segment.listedAt <= at);
  const last = listed.at(-1);
  return last?.dateMs === undefined ? undefined : last.dateMs + last.durationSeconds * 1000;
}

/** The part of a span that no pause covers, milliseconds. */
function outside(from: number, to: number, pauses: readonly Pause[]): number {
  let left = to - from;
  for (const pause of pauses) left -= Math.max(0, Math.min(to, pause.to ?? to) - Math.max(from, pause.from));
  return Math.max(0, left);
}

/** Rule 18: a stream that is over is over in all its playlists. */
function ends(history: History, slackMs: number): Violation[] {
  const life = Math.max(0, ...history.renditions.map(lastLife));
  const over = history.renditions.filter((rendition) => rendition.endedAt[life] !== undefined);
  const first = Math.min(...over.map((rendition) => rendition.endedAt[life] ?? Infinity));
  return history.renditions.flatMap((rendition) => {
    if (over.length === 0 || (lastLife(rendition) === life && ended(rendition))) return [];
    if (rendition.versions.length === 0 || rendition.seenAt - first <= slackMs) return [];
    const message = 'has no EXT-X-ENDLIST, though another rendition has ended';
    return [{ rule: 18, rendition: rendition.name, message, at: first }];
  });
}
