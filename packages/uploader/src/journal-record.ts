import { z } from 'zod';
import { end, gap, hello, leave, segment, sessionId, tracks } from '@hls-uplink/protocol';

const sequence = z.number().int().min(0);

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

export const journalRecord = z.discriminatedUnion('type', [
  sessionRecord,
  tracksRecord,
  acceptedRecord,
  legacyRecord,
]);
export type JournalRecord = z.infer<typeof journalRecord>;
export type LegacyRecord = z.infer<typeof legacyRecord>;

type WithoutSequence<Record> = Record extends unknown ? Omit<Record, 'sequence'> : never;
/** As handed to the journal, which numbers it. */
export type NewRecord = WithoutSequence<JournalRecord>;
