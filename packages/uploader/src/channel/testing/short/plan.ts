import type { ChannelSettings } from '../../state.js';
import { random } from '../timetable.js';

/** Of a segment that is cut at each of them, and between two key pictures. */
export const TARGET_SECONDS = 2;
export const GOP_90K = 90_000;
export const WRAP = 2 ** 33;
/** One picture at 25 Hz, and what rounding adds: so far apart an end and a start may be and still touch. */
export const PICTURE_MS = 42;

/** Windows of dvr and event playlists: shorter than the sequence, or longer. */
const RECORDINGS = [
  { dvr: { segments: 5, seconds: 0 } },
  { dvr: { segments: 50, seconds: 0 }, eventSeconds: 3600 },
  { dvr: { segments: 3, seconds: 12 }, eventSeconds: 16 },
];

/** How often each happens, in relation to the others. */
const WEIGHTS = {
  kill: 6,
  leave: 3,
  'spool-lost': 2,
  'link-cut': 4,
  late: 4,
  refused: 3,
  unwritten: 3,
  unheard: 3,
  vanished: 3,
  dependent: 1,
  duplicate: 8,
  'store-down': 4,
  'puts-hang': 3,
  'writes-fail': 5,
  'uploader-killed': 4,
  'uploader-emptied': 3,
  'take-over': 5,
  'clock-step': 4,
  'encoder-again': 3,
  'encoder-away': 2,
  tables: 2,
  'date-range': 3,
  end: 2,
} as const;

export type What = keyof typeof WEIGHTS;

const LOTS = Object.entries(WEIGHTS).flatMap(([what, weight]) => Array<What>(weight).fill(what as What));

export interface Happening {
  what: What;
  /** Within the round, milliseconds. */
  atMs: number;
  /** How long until it is over, where it has an end, milliseconds. */
  forMs: number;
  /** 0 … 1: to whom. */
  who: number;
}

/** All that is drawn of a short sequence: the same plan gives the same events. */
export interface Plan {
  /** Of what is drawn on the way: how long the store takes, who announces first. */
  seed: number;
  renditions: string[];
  /** Each rendition has a second source. */
  spare: boolean;
  iFrames: boolean;
  recordings: Pick<ChannelSettings, 'dvr' | 'eventSeconds'>;
  /** Raw PTS of the first picture. */
  firstPts: number;
  /** What happens while each segment is filled. */
  rounds: Happening[][];
  /** The stream is ended when all is well again. */
  ends: boolean;
}

export function planOf(seed: number): Plan {
  const draw = random(Math.imul(seed, 0x9e3779b1));
  const below = (count: number): number => Math.floor(draw() * count);
  const nearWrap = draw() < 0.2;
  const firstPts = nearWrap ? WRAP - 2 * GOP_90K * (1 + below(8)) + 3600 * below(25) : 3600 * below(25_000);
  const renditions = ['low', 'mid', 'high'].slice(0, [1, 2, 2, 2, 2, 2, 2, 2, 3, 3][below(10)]);
  const rounds = Array.from({ length: 3 + below(draw() < 0.15 ? 14 : 4) }, () =>
    Array.from({ length: draw() < 0.5 ? 1 + below(2) : 0 }, () => ({
      what: LOTS[below(LOTS.length)]!,
      atMs: below(2000),
      forMs: below(draw() < 0.2 ? 20_000 : 5000),
      who: draw(),
    })).sort((a, b) => a.atMs - b.atMs),
  );
  return {
    seed,
    renditions,
    spare: draw() < 0.2,
    iFrames: draw() < 0.1,
    firstPts,
    rounds,
    ends: draw() < 0.3,
    recordings: draw() < 0.15 ? RECORDINGS[below(RECORDINGS.length)]! : {},
  };
}

/** The plan with as few happenings, and as few rounds, as still make `fails` true. */
export function shrunk(plan: Plan, fails: (plan: Plan) => boolean): Plan {
  let best = plan;
  for (let smaller = true; smaller;) {
    smaller = false;
    const candidates = [
      ...best.rounds.map((_, i) => best.rounds.toSpliced(i, 1)),
      ...best.rounds.flatMap((round, i) => round.map((_, j) => best.rounds.with(i, round.toSpliced(j, 1)))),
    ].map((rounds) => ({ ...best, rounds }));
    if (best.spare) candidates.push({ ...best, spare: false });
    if (best.iFrames) candidates.push({ ...best, iFrames: false });
    if (best.recordings.dvr) candidates.push({ ...best, recordings: {} });
    if (best.ends) candidates.push({ ...best, ends: false });
    if (best.renditions.length > 1) candidates.push({ ...best, renditions: best.renditions.slice(0, -1) });
    const found = candidates.find(fails);
    if (found) [best, smaller] = [found, true];
  }
  return best;
}
