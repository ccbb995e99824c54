import { parseDateRange, renderDateRange, type DateRange } from '@hls-uplink/hls';
import { sessionId } from '@hls-uplink/protocol';
import * as z from 'zod';
import { MOST_ARREARS, type Arrears, type Listed } from './arrears.js';
import { dateRangeKey } from './date-range.js';
import { gapUri, segmentName } from './item.js';
import type { RenditionState } from './state.js';
import { TICKS_PER_MS } from './ticks.js';

/** Players read it, too, with each live version. */
const MOST_CHARACTERS = 32 * 1024;

const count = z.number().int().min(0);

/** What stands behind `#EXT-X-DATERANGE:`. */
const dateRange = z.string().max(MOST_CHARACTERS).refine(isDateRange);

function isDateRange(text: string): boolean {
  try {
    return parseDateRange(text, 1) !== undefined;
  } catch {
    return false;
  }
}

/** Consecutive entries that are alike. */
const run = z.strictObject({
  /** Of the first its number, and the discontinuity sequence number before its tag; how many. */
  at: z.tuple([count, count, z.number().int().min(1).max(MOST_ARREARS)]),
  /** Of each its ticks, of the first its date. */
  time: z.tuple([count, z.number().int()]),
  /** EXT-X-DISCONTINUITY of the first. */
  tag: z.literal(true).optional(),
  /** Session and index of the first; absent of gaps. */
  of: z.tuple([sessionId, count]).optional(),
  /** What the first brings. */
  dateRanges: z.array(dateRange).max(1000).optional(),
  /** They have no final answer: who announced them will do so again. */
  open: z.literal(true).optional(),
  /** EXT-X-KEY, of one alone. */
  key: z
    .strictObject({ method: z.literal('AES-128'), uri: z.string().max(2000), iv: z.string().max(32) })
    .optional(),
});
type Run = z.infer<typeof run>;
export const arrearsLine = z
  .array(run)
  .max(MOST_ARREARS)
  .refine((runs) => runs.reduce((sum, { at }) => sum + at[2], 0) <= MOST_ARREARS);
export type ArrearsLine = z.infer<typeof arrearsLine>;

const NAME = /-([0-9a-f]{32})-(\d{6,15})\.ts$/;

/** As much as may stand in the state line: what has no final answer before the rest, the newest first. */
export function writeArrears({ all }: Arrears): ArrearsLine {
  const runs: Run[] = [];
  // What lasts stands with each entry that it was carried over to; and segments come before what is said of them.
  const said = new Set<string>();
  let room = MOST_CHARACTERS / 2;
  for (const one of all) {
    const { dateRanges = [] } = one.segment;
    const fresh = dateRanges.filter(
      (range) => !said.has(dateRangeKey(range)) && (room -= attributesOf(range).length) >= 0,
    );
    const next = runOf(one, fresh);
    for (const range of dateRanges) said.add(dateRangeKey(range));
    if (!extend(runs.at(-1), next)) runs.push(next);
  }
  let length = 0;
  const fits = (one: Run): boolean => (length += JSON.stringify(one).length + 1) <= MOST_CHARACTERS;
  const kept = new Set(
    [...runs.filter(({ open }) => open).reverse(), ...runs.filter(({ open }) => !open).reverse()].filter(
      fits,
    ),
  );
  return runs.filter((one) => kept.has(one));
}

/** Whether a line says so of this entry. */
export function isWritten(line: ArrearsLine, number: number): boolean {
  return line.some(({ at: [first, , many] }) => first <= number && number < first + many);
}

function runOf({ number, sequence, segment, id }: Listed, dateRanges: readonly DateRange[]): Run {
  const { duration90k, programDateTimeMs = 0, discontinuity, gap, uri, key } = segment;
  const [, session, index] = NAME.exec(uri) ?? [];
  return {
    at: [number, sequence, 1],
    time: [duration90k, programDateTimeMs],
    ...(discontinuity && { tag: true as const }),
    ...(!gap && session !== undefined && { of: [session, Number(index)] as [string, number] }),
    ...(dateRanges.length > 0 && { dateRanges: dateRanges.map(attributesOf) }),
    ...(id && { open: true as const }),
    ...(!id && key?.method === 'AES-128' && { key: { ...key } }),
  };
}

const attributesOf = (range: DateRange): string => renderDateRange(range).replace(/^[^:]*:/, '');

/** With this one more, if it is alike. @returns whether it was */
function extend(run: Run | undefined, next: Run): boolean {
  if (!run || run.key || next.key || next.tag || next.dateRanges || run.open !== next.open) return false;
  const [number, sequence, count] = run.at;
  const [ticks, dateMs] = run.time;
  const isNext =
    next.at[0] === number + count &&
    next.at[1] === sequence + (run.tag ? 1 : 0) &&
    next.time[0] === ticks &&
    next.time[1] === dateAt(dateMs, count, ticks) &&
    next.of?.[0] === run.of?.[0] &&
    (run.of === undefined || next.of![1] === run.of[1] + count);
  if (isNext) run.at[2]++;
  return isNext;
}

const dateAt = (dateMs: number, count: number, ticks: number): number =>
  Math.round(dateMs + (count * ticks) / TICKS_PER_MS);

/** What has no final answer waits for its bytes, for it will be announced again. */
export function readArrears(rendition: RenditionState, line: ArrearsLine): Listed[] {
  return line.flatMap(
    ({ at: [number, sequence, count], time: [ticks, dateMs], tag, of, open, key, dateRanges }) =>
      Array.from({ length: count }, (_, i): Listed => {
        const id = of && { session: of[0], index: of[1] + i };
        const uri = id ? rendition.urlPrefix + segmentName(rendition, id) : gapUri(rendition, number + i);
        return {
          number: number + i,
          sequence: sequence + (tag && i > 0 ? 1 : 0),
          segment: {
            uri,
            duration90k: ticks,
            programDateTimeMs: dateAt(dateMs, i, ticks),
            discontinuity: tag === true && i === 0,
            gap: !id,
            ...(key && { key }),
            ...(dateRanges && i === 0 && { dateRanges: dateRanges.map((one) => parseDateRange(one, 1)) }),
          },
          ...(open && id && { id, waits: 'bytes' as const }),
        };
      }),
  );
}
