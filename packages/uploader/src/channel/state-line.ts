import type { MediaPlaylist } from '@hls-uplink/hls';
import { sessionId, track } from '@hls-uplink/protocol';
import * as z from 'zod';
import { arrearsLine, type ArrearsLine } from './arrears-line.js';
import { hasIFrames } from './i-frame.js';
import { COMMENT_PREFIX } from './ownership.js';
import { settledWhenStored, sourcesOf } from './source.js';
import type { ChannelState, RenditionState } from './state.js';

const ticks = z.number().int();
const milliseconds = z.number();
const count = z.number().int().min(0);

/** What a successor needs beyond the tags (DESIGN.md, "Who owns what"). Short names: it is in every playlist version. */
const stateLine = z.strictObject({
  v: z.literal(1),
  rendition: z.string().max(100),
  writer: z.string().max(200),
  term: count,
  life: count,
  /** First number and first epoch of the life, and where the one before ended. */
  first: z.tuple([count, count, milliseconds]),
  /** Segment duration the cuts are made by, seconds. */
  target: z.number().positive(),
  alone: z.boolean(),
  segmentPrefix: z.string().max(100),
  urlPrefix: z.string().max(1000),
  /** Epoch, its t0, the date of t0; and where it was seen last, when by its source's wall clock, which drifts from the dates. */
  clocks: z
    .array(
      z.tuple([count, ticks, milliseconds]).or(z.tuple([count, ticks, milliseconds, ticks, milliseconds])),
    )
    .max(1000),
  /** How many entries of another tool stand before those of ours, of which the rest of the line is. */
  adopted: count.optional(),
  /** Of each entry: epoch and start, unwrapped. */
  starts: z.array(z.tuple([count, ticks])).max(100_000),
  /** Longest duration of the versions that list the first entry. */
  longestMs: milliseconds,
  /** Session: last settled index; of the last listed segment index, epoch and end. */
  sessions: z.record(
    sessionId,
    z.tuple([z.number().int().min(-1)]).or(z.tuple([count, count, count, ticks])),
  ),
  /** Sources by session (DESIGN.md, "Redundant sources"): another session of the same one goes on at once. */
  sources: z.record(sessionId, z.string().max(100)).optional(),
  /** The session it is published from, and those of the same encode that stand by. */
  active: sessionId.optional(),
  same: z.array(sessionId).max(1000).optional(),
  /** Keys (below the channel) that left the window, and how long they stay, milliseconds. */
  left: z.array(z.tuple([z.string().max(400), milliseconds])).max(1000),
  /** Of the I-frame playlist: what it counts from, peak, whether there is one; of each entry its key pictures. */
  iFrames: z
    .strictObject({
      sequence: count,
      peak: count,
      isThere: z.boolean(),
      keys: z.array(z.array(z.tuple([count, count, count])).max(4000)).max(100_000),
    })
    .optional(),
  /** What it lists no more and recordings are still to have. */
  arrears: arrearsLine.optional(),
  tracks: z.array(track).max(64),
  frame: ticks,
  longest: ticks,
  bandwidth: z.strictObject({
    declared: count.optional(),
    peak: count,
    bytes: count,
    ticks: count,
    stated: z.tuple([count, count]).optional(),
  }),
});
export type StateLine = z.infer<typeof stateLine>;

/** The comment of the version that is being built. */
export function writeStateLine(state: ChannelState, rendition: RenditionState, arrears: ArrearsLine): string {
  const below = `${state.settings.channel}/`.length;
  const sessions: StateLine['sessions'] = {};
  const active = activeAsListed(state, rendition);
  const same = sourcesOf(state, rendition.name).filter(
    (source) => source.same && active === rendition.active,
  );
  const sources: Record<string, string> = {};
  for (const source of sourcesOf(state, rendition.name)) {
    if (source.facts.source !== '') sources[source.facts.session] = source.facts.source;
    const settled = settledWhenStored(state, source);
    const { listed } = source;
    sessions[source.facts.session] =
      listed && settled >= 0 ? [settled, listed.index, listed.epoch, listed.end] : [settled];
  }
  const line: StateLine = {
    v: 1,
    rendition: rendition.name,
    writer: state.settings.writer,
    term: state.term,
    life: state.life,
    first: [state.firstNumber, state.firstEpoch, state.lifeStartMs],
    target: state.target!,
    alone: rendition.alone,
    segmentPrefix: rendition.segmentPrefix,
    urlPrefix: rendition.urlPrefix,
    clocks: state.epochs.map(({ id, clock, seen }) => [id, clock.t0, clock.date0Ms, seen.t0, seen.date0Ms]),
    ...(rendition.adopted && { adopted: rendition.adopted.entries.length }),
    starts: rendition.entries.map((entry) => [entry.epoch, entry.start]),
    longestMs: rendition.entries[0]?.longestMs ?? 0,
    sessions,
    ...(Object.keys(sources).length > 0 && { sources }),
    ...(active !== undefined && { active }),
    ...(same.length > 0 && { same: same.map(({ facts }) => facts.session) }),
    left: rendition.left.map(({ key, keepMs }) => [key.slice(below), keepMs]),
    ...((hasIFrames(state, rendition) || rendition.iFrames.wasThere) && {
      iFrames: {
        sequence: rendition.iFrames.sequence,
        peak: rendition.iFrames.peakBandwidth,
        isThere: rendition.iFrames.isThere,
        keys: rendition.entries.map(({ keys = [] }) =>
          keys.map((place) => [...place] as [number, number, number]),
        ),
      },
    }),
    ...(arrears.length > 0 && { arrears }),
    tracks: rendition.tracks,
    frame: rendition.frame,
    longest: rendition.longest,
    bandwidth: {
      ...(rendition.declaredBandwidth !== undefined && { declared: rendition.declaredBandwidth }),
      peak: rendition.peakBandwidth,
      bytes: rendition.totalBytes,
      ticks: rendition.total90k,
      ...(rendition.stated && { stated: [rendition.stated.bandwidth, rendition.stated.average] }),
    },
  };
  return COMMENT_PREFIX + JSON.stringify(line);
}

/** Until what it was changed with is listed, a successor must change it again: from the session that is listed. */
function activeAsListed(state: ChannelState, { name, active }: RenditionState): string | undefined {
  if (active === undefined || state.sources[active]?.changed === undefined) return active;
  const listed = sourcesOf(state, name).flatMap((source) =>
    source.listed ? [{ ...source.listed, session: source.facts.session }] : [],
  );
  return listed.sort((a, b) => a.epoch - b.epoch || a.end - b.end).at(-1)?.session ?? active;
}

/**
 * Undefined when no comment is a state line: then the playlist is another tool's.
 * @throws Error when there is one and it is damaged, or does not fit the playlist
 */
export function readStateLine({ comments, segments }: MediaPlaylist): StateLine | undefined {
  const text = comments.find((comment) => comment.startsWith(COMMENT_PREFIX));
  if (text === undefined) return undefined;
  const line = stateLine.safeParse(parseJson(text.slice(COMMENT_PREFIX.length)));
  const epochs = new Set(line.data?.clocks.map(([id]) => id));
  const own = segments.length - (line.data?.adopted ?? 0);
  const fits =
    line.data?.starts.length === own &&
    (line.data.adopted === undefined || own > 0) &&
    (line.data.iFrames?.keys.length ?? own) === own &&
    line.data.starts.every(([epoch]) => epochs.has(epoch));
  if (!line.success || !fits) throw new Error('its state line is damaged');
  return line.data;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
