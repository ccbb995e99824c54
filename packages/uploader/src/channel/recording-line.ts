import type { MediaPlaylist } from '@hls-uplink/hls';
import * as z from 'zod';
import { MOST_DEPARTED, type DepartedRun } from './departed-keys.js';
import type { RecordingView } from './event.js';
import { COMMENT_PREFIX } from './ownership.js';
import { parseJson } from './state-line.js';
import type { Recording } from './recording-state.js';
import type { ChannelState, RenditionState } from './state.js';

const count = z.number().int().min(0);

/** What a successor needs beyond the tags of a `dvr` or `event` playlist, as the state line is for the live one. */
const recordingLine = z.strictObject({
  v: z.literal(1),
  view: z.enum(['dvr', 'event']),
  rendition: z.string().max(100),
  writer: z.string().max(200),
  term: count,
  life: count,
  longestMs: z.number(),
  stated: z.tuple([count, count]).optional(),
  closed: z.literal(true).optional(),
  left: z
    .array(z.tuple([z.string().max(300), count, count, z.number()]))
    .max(MOST_DEPARTED)
    .refine((runs) => runs.reduce((sum, [, , keys]) => sum + keys, 0) <= MOST_DEPARTED),
});
export type RecordingLine = z.infer<typeof recordingLine>;

export function writeRecordingLine(
  { settings, term }: ChannelState,
  view: RecordingView,
  { name }: RenditionState,
  { life, longestMs, stated, closed }: Recording,
  left: DepartedRun[],
): string {
  const line: RecordingLine = {
    v: 1,
    view,
    rendition: name,
    writer: settings.writer,
    term,
    life,
    longestMs,
    ...(stated && { stated: [stated.bandwidth, stated.average] }),
    ...(closed && { closed }),
    left,
  };
  return COMMENT_PREFIX + JSON.stringify(line);
}

/** Undefined when there is none, or it is damaged. */
export function readRecordingLine({ comments }: MediaPlaylist): RecordingLine | undefined {
  const text = comments.find((comment) => comment.startsWith(COMMENT_PREFIX));
  return text === undefined
    ? undefined
    : recordingLine.safeParse(parseJson(text.slice(COMMENT_PREFIX.length))).data;
}
