import * as z from 'zod';
import { end, gap, hello, leave, segment, sessionId, tracks } from '@hls-uplink/protocol';

const sequence = z.number().int().min(0);
const index = z.number().int().min(0);

/** What a source said of itself; kept while something of its session waits for a final answer. */
export const sessionRecord = z.strictObject({
  type: z.literal('session'),
  sequence,
  facts: hello.pick({
    rendition: true,
    source: true,
    session: true,
    target: true,
    renditions: true,
    bandwidth: true,
    names: true,
  }),
});

export const tracksRecord = z.strictObject({ type: z.literal('tracks'), sequence, tracks });

/** Accepted, final answer still to come. `path` of a segment is where its bytes are on this machine. */
export const acceptedRecord = z.strictObject({
  type: z.literal('accepted'),
  sequence,
  announcement: z.discriminatedUnion('type', [segment, gap, leave, end]),
  /** Of its session, what was announced before it and is to be accepted later: first and last index of each run. */
  behind: z
    .array(z.tuple([index, index]))
    .max(10_000)
    .optional(),
});

/** Where a feed of legacy lines stands: what the next line of the same rendition is compared with. */
export const legacyRecord = z.strictObject({
  type: z.literal('legacy'),
  sequence,
  rendition: z.string(),
  session: sessionId,
  /** Number and CRC-32 of the last segment. */
  number: z.number().int().min(0),
  crc32: z.number().int().min(0),
  /** Where it ended, 90 kHz. */
  endPts: z.number().int().min(0),
  nextIndex: z.number().int().min(0),
  ended: z.boolean(),
  /** Of its tracks as JSON, so that they are told only when they change. */
  tracks: z.string(),
  /** Milliseconds since 1970; records that nothing was heard of for long are forgotten. */
  heardMs: z.number(),
});

/** The channel is published and has no ENDLIST yet: with `--away-timeout` it is opened though nothing waits. */
export const liveRecord = z.strictObject({ type: z.literal('live'), sequence });

/** The life ends, and not every playlist has its ENDLIST yet: an operator asked for it, or it is decided. */
export const endRecord = z.strictObject({
  type: z.literal('end'),
  sequence,
  life: z.number().int().min(0),
  asked: z.boolean(),
});

/** An operator gave it, and no stored playlist lists it yet. */
export const dateRangeRecord = z.strictObject({
  type: z.literal('date-range'),
  sequence,
  life: z.number().int().min(0),
  range: z.strictObject({
    id: z.string(),
    class: z.string().exactOptional(),
    startDateMs: z.number(),
    endDateMs: z.number().exactOptional(),
    durationSeconds: z.number().exactOptional(),
    clientAttributes: z.record(z.string(), z.string()).exactOptional(),
  }),
});

export const journalRecord = z.discriminatedUnion('type', [
  sessionRecord,
  tracksRecord,
  acceptedRecord,
  legacyRecord,
  liveRecord,
  endRecord,
  dateRangeRecord,
]);
export type JournalRecord = z.infer<typeof journalRecord>;
export type LegacyRecord = z.infer<typeof legacyRecord>;

type WithoutSequence<Record> = Record extends unknown ? Omit<Record, 'sequence'> : never;
/** As handed to the journal, which numbers it. */
export type NewRecord = WithoutSequence<JournalRecord>;

/** Between the parts of a key. */
export const SEPARATOR = '!';
export const pad = (index: number): string => String(index).padStart(16, '0');

/** Whose facts and tracks the record needs, or is. */
export function sessionOf(record: NewRecord): string | undefined {
  switch (record.type) {
    case 'session':
      return record.facts.session;
    case 'tracks':
      return record.tracks.session;
    case 'accepted':
      return record.announcement.session;
    case 'legacy':
    case 'live':
    case 'end':
    case 'date-range':
      return undefined;
  }
}

type AcceptedRecord = Extract<JournalRecord, { type: 'accepted' }>;
type Runs = NonNullable<AcceptedRecord['behind']>;

/**
 * What was accepted out of order, of each session in order of index: what was skipped for it is decided anew. Each says what is
 * still to be accepted as the records after it know it.
 */
export function inOrder(records: readonly JournalRecord[]): JournalRecord[] {
  const sessions = new Map<string, { accepted: AcceptedRecord[]; open: Runs }>();
  for (const record of records) {
    if (record.type !== 'accepted') continue;
    const { session, index } = record.announcement;
    const { accepted, open } = sessions.get(session) ?? { accepted: [], open: [] };
    const later = open.flatMap(([from, to]): Runs => (to > index ? [[Math.max(from, index + 1), to]] : []));
    accepted.push(record);
    sessions.set(session, { accepted, open: [...(record.behind ?? []), ...later] });
  }
  for (const { accepted } of sessions.values())
    accepted.sort((a, b) => a.announcement.index - b.announcement.index);
  return records.map((record) => {
    if (record.type !== 'accepted') return record;
    const { accepted, open } = sessions.get(record.announcement.session)!;
    const { type, sequence, announcement } = accepted.shift()!;
    const behind = open.filter(([from]) => from < announcement.index);
    return { type, sequence, announcement, ...(behind.length > 0 && { behind }) };
  });
}

export const liveKey = (channel: string): string => [channel, 'live'].join(SEPARATOR);

/** What is to be done to a channel, and nobody says again. */
export type RequestRecord = Extract<NewRecord, { type: 'end' | 'date-range' }>;

export function requestKey(channel: string, record: RequestRecord): string {
  const what = record.type === 'end' ? record.asked : record.range.id;
  return [channel, record.type, record.life, what].join(SEPARATOR);
}

/** Keys sort by session, then by what the record is about. */
export function keyOf(channel: string, record: JournalRecord): string {
  switch (record.type) {
    case 'session':
      return [channel, record.facts.session, 's'].join(SEPARATOR);
    case 'tracks':
      return [channel, record.tracks.session, `t${pad(record.tracks.index)}`].join(SEPARATOR);
    case 'accepted':
      return [channel, record.announcement.session, `a${pad(record.announcement.index)}`].join(SEPARATOR);
    case 'legacy':
      return [channel, 'l', record.rendition].join(SEPARATOR);
    case 'live':
      return liveKey(channel);
    case 'end':
    case 'date-range':
      return requestKey(channel, record);
  }
}
