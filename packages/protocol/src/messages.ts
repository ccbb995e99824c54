import * as z from 'zod';

/** Version of the wire protocol, stated in `hello`. */
export const PROTOCOL_VERSION = 1;

/** Default TCP port of the uploader. */
export const DEFAULT_PORT = 10234;

/** Most entries of one session that may be accepted without a final answer: a `welcome` names them all in one line. */
export const MAX_ACCEPTED = 60_000;

/** 33-bit timestamps of 90 kHz, as they stand in the PES header (ISO/IEC 13818-1 §2.4.3.7). */
export const pts90k = z
  .number()
  .int()
  .min(0)
  .lt(2 ** 33);

/** What an uploader makes beside a rendition's playlist. */
const derivedName = /^index$|-(dvr|event|iframes|vod)$/;

/** Whether a file of this name, without its extension, is one that an uploader makes of others. */
export const isDerivedName = (name: string): boolean => derivedName.test(name);

/**
 * A channel or rendition name: part of object keys and of playlist URIs, so only characters that need no escaping.
 * A channel may have several parts (`news/berlin`), no part being `.` or `..`.
 */
export const channelName = z
  .string()
  .max(200)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/,
    'letters, digits, _ . - only, parts separated by /',
  );

/** As a channel name, in one part; the names of derived files are refused (`bad-name`). */
export const renditionName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'letters, digits, _ . - only')
  .refine(
    (name) => !isDerivedName(name),
    'index, *-dvr, *-event, *-iframes and *-vod are names of derived files',
  );

/** 128 random bits, made with the spool folder. */
export const sessionId = z.string().regex(/^[0-9a-f]{32}$/, '32 hexadecimal digits');

const index = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const seconds = z.number().positive().max(3600);
const instant = z.iso.datetime();
const about = { session: sessionId, index };

/** One elementary stream of the segments, as the stream itself states it. */
export const track = z.strictObject({
  kind: z.enum(['video', 'audio', 'other']),
  pid: z.number().int().min(0).max(0x1fff),
  /** RFC 6381, as it stands in CODECS: `avc1.64001f`, `mp4a.40.2`, `mp4a.40.34`; absent for `other`. */
  codec: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9][A-Za-z0-9.-]*$/)
    .optional(),
  width: z.number().int().positive().optional(),
  height: z.number().int().positive().optional(),
  /** Pictures a second. */
  frameRate: z.number().min(0.01).max(1000).optional(),
  channels: z.number().int().positive().optional(),
  sampleRate: z.number().int().positive().optional(),
  /** ISO 639-2, from the PMT. */
  language: z.string().max(8).optional(),
  /** Video: closed captions found in it so far, as INSTREAM-ID names them; absent where there are none. */
  captions: z
    .array(z.string().regex(/^(CC[1-4]|SERVICE([1-9]|[1-5]\d|6[0-3]))$/))
    .min(1)
    .max(67)
    .optional(),
});
export type Track = z.infer<typeof track>;

/** Names that differ from the defaults, as the original's arguments give them. */
export const names = z.strictObject({
  /** Which of the uploader's configured buckets. */
  bucket: z.string().max(255).optional(),
  /** File name of the media playlist; default `<rendition>.m3u8`. */
  index: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*\.m3u8$/)
    .optional(),
  /** First part of the segments' file names; default the rendition. */
  segmentPrefix: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/)
    .optional(),
  /** Put before the segments' file names in the playlist; default none (relative URIs). */
  urlPrefix: z
    .string()
    .max(1000)
    .regex(/^[\x21-\x7e]*$/)
    .refine((url) => !url.includes('"'))
    .optional(),
});
export type Names = z.infer<typeof names>;

export const hello = z.strictObject({
  type: z.literal('hello'),
  version: z.literal(PROTOCOL_VERSION),
  channel: channelName,
  rendition: renditionName,
  /** Which of several redundant encoders; one rendition's sources differ in it. */
  source: z
    .string()
    .max(100)
    .regex(/^[\x21-\x7e]+$/),
  session: sessionId,
  /** The segment duration the cuts are made by, in seconds. */
  target: seconds,
  token: z
    .string()
    .max(1000)
    .regex(/^[\x20-\x7e]*$/, 'printable ASCII only')
    .optional(),
  /** All renditions the channel will have, when the operator said so. */
  renditions: z.array(renditionName).min(1).max(100).optional(),
  /** Declared peak, bits a second. */
  bandwidth: z.number().int().positive().optional(),
  names: names.optional(),
});

/** Sent before the first `segment` it holds for, and whenever the tracks change. */
export const tracks = z.strictObject({
  type: z.literal('tracks'),
  session: sessionId,
  /** First segment index it holds for. */
  index,
  tracks: z.array(track).max(64),
  /** Longest distance between key pictures seen, 90 kHz ticks; absent for audio alone and while unknown. */
  gop: z.number().int().positive().optional(),
});

export const keyPicture = z.strictObject({
  /** Of the first packet of the PES that starts the picture, bytes from the start of the segment. */
  offset: z.number().int().min(0),
  /** From `offset` to the end of the picture's last packet. */
  bytes: z.number().int().positive(),
  pts: pts90k,
});

/** Longest splice_info_section that is announced, bytes; longer ones are in the segments all the same. */
export const MAX_SPLICE_BYTES = 1024;
/** Most markers of one segment. */
export const MAX_MARKERS = 32;

/** What a splice_info_section of SCTE-35 says of one event; it stands in the segment, too. */
export const marker = z.strictObject({
  /** The program leaves the network (`out`), comes back (`in`), neither (`command`); `cancel`: the event does not come. */
  kind: z.enum(['out', 'in', 'command', 'cancel']),
  /** Of the splice, pts_adjustment included; where the section names no time, of the newest picture when it came. */
  pts: pts90k,
  /** The section names no time: repeats of it differ in `pts`. */
  immediate: z.boolean(),
  /** splice_event_id or segmentation_event_id; absent for a time_signal without segmentation_descriptor. */
  eventId: z.number().int().min(0).max(0xffffffff).optional(),
  /** segmentation_type_id; absent for a splice_insert. */
  segmentationType: z.number().int().min(0).max(0xff).optional(),
  /** break_duration or segmentation_duration, 90 kHz ticks. */
  duration90k: z
    .number()
    .int()
    .min(0)
    .lt(2 ** 40)
    .optional(),
  /** The whole section, hexadecimal. */
  section: z
    .string()
    .max(2 * MAX_SPLICE_BYTES)
    .regex(/^([0-9A-F]{2})+$/, 'hexadecimal digits, two a byte'),
});
export type Marker = z.infer<typeof marker>;

/** Why a segment does not go on from the one of the index before it. */
export const discontinuityReason = z.enum([
  /** First segment of a process, or first after an input that came back. */
  'start',
  /** Timestamps jumped. */
  'timestamps',
  /** PAT or PMT changed the tracks, or a codec's parameters changed. */
  'tables',
  /** Something in between was lost: a segment that could not be written, packets that did not arrive. */
  'loss',
]);

export const segment = z.strictObject({
  type: z.literal('segment'),
  ...about,
  /** Absolute path of the file on the segmenter's machine. */
  path: z.string().min(1).max(4096),
  bytes: z.number().int().positive(),
  /** CRC-32 (IEEE 802.3, as zlib) of the file, unsigned. */
  crc32: z.number().int().min(0).max(0xffffffff),
  /** PTS of the first picture (audio alone: first frame). */
  startPts: pts90k,
  /** PTS of the picture that ended it; at a break or leave: the end of its last picture. Duration = end − start mod 2^33. */
  endPts: pts90k,
  /** When the first picture arrived, by the encoder box's clock. */
  wallClock: instant,
  /** Absent when it starts where the segment of the index before it ended, on the same clock. */
  discontinuity: discontinuityReason.optional(),
  /** What ended it: the rule of the cut; the limit of the target duration; the stream's break; the source's leaving. */
  ended: z.enum(['cut', 'forced', 'break', 'leave']),
  /** Starts with a key picture (audio alone: true). */
  independent: z.boolean(),
  keyPictures: z.array(keyPicture).max(4000),
  /** Of the sections that ended in it, in their order. */
  markers: z.array(marker).max(MAX_MARKERS).default([]),
});

/** Follows a `send`; after its line come exactly `bytes` raw bytes. */
export const body = z.strictObject({ type: z.literal('body'), ...about, bytes: z.number().int().positive() });

/** Cut, but lost before it could be sent. */
export const gap = z.strictObject({
  type: z.literal('gap'),
  ...about,
  startPts: pts90k,
  endPts: pts90k,
  wallClock: instant,
  discontinuity: discontinuityReason.optional(),
  reason: z.string().max(500),
});

/** The source goes and may come back. Takes the session's next index. */
export const leave = z.strictObject({ type: z.literal('leave'), ...about, reason: z.string().max(500) });

/** The operator ended the stream. Takes the session's next index. */
export const end = z.strictObject({ type: z.literal('end'), ...about });

export const ping = z.strictObject({ type: z.literal('ping') });

/** What a segmenter says. */
export const segmenterMessage = z.discriminatedUnion('type', [
  hello,
  tracks,
  segment,
  body,
  gap,
  leave,
  end,
  ping,
]);

export const welcome = z.strictObject({
  type: z.literal('welcome'),
  version: z.literal(PROTOCOL_VERSION),
  session: sessionId,
  /** Everything at or below it has its final answer. Absent: nothing of this session has. */
  settled: index.optional(),
  /** Above `settled`: accepted, final answer still to come. These are not announced again. */
  accepted: z.array(index).max(MAX_ACCEPTED),
});

export const channel = z.strictObject({
  type: z.literal('channel'),
  targetDuration: z.number().int().positive(),
});
export const accepted = z.strictObject({ type: z.literal('accepted'), ...about });
export const send = z.strictObject({ type: z.literal('send'), ...about });
export const published = z.strictObject({ type: z.literal('published'), ...about });
export const droppedCode = z.enum(['duplicate', 'late', 'partial', 'backlog', 'too-long', 'spool']);
export const dropped = z.strictObject({ type: z.literal('dropped'), ...about, code: droppedCode });
export const rejectedCode = z.enum(['bad-message', 'bad-path', 'bad-file', 'not-permitted']);
export const rejected = z.strictObject({
  type: z.literal('rejected'),
  ...about,
  code: rejectedCode,
  reason: z.string().max(1000),
});
export const refusedCode = z.enum([
  'bad-hello',
  'bad-message',
  'bad-name',
  'bad-token',
  'version',
  'bucket',
  'rendition-busy',
  'target',
  'replaced',
  'channel',
  'stopping',
  'superseded',
]);
/** The connection is closed after it. */
export const refused = z.strictObject({
  type: z.literal('refused'),
  code: refusedCode,
  reason: z.string().max(1000),
});
export const pong = z.strictObject({ type: z.literal('pong') });

/** What the uploader says. */
export const uploaderMessage = z.discriminatedUnion('type', [
  welcome,
  channel,
  accepted,
  send,
  published,
  dropped,
  rejected,
  refused,
  pong,
]);

export type Hello = z.infer<typeof hello>;
export type Tracks = z.infer<typeof tracks>;
export type KeyPicture = z.infer<typeof keyPicture>;
export type DiscontinuityReason = z.infer<typeof discontinuityReason>;
export type Segment = z.infer<typeof segment>;
export type Gap = z.infer<typeof gap>;
export type Leave = z.infer<typeof leave>;
export type End = z.infer<typeof end>;
/** What takes an index of its session and gets one final answer. */
export type Announcement = Segment | Gap | Leave | End;
export type SegmenterMessage = z.infer<typeof segmenterMessage>;
export type UploaderMessage = z.infer<typeof uploaderMessage>;
export type DroppedCode = z.infer<typeof droppedCode>;
export type RejectedCode = z.infer<typeof rejectedCode>;
export type RefusedCode = z.infer<typeof refusedCode>;
export type FinalAnswer = Extract<UploaderMessage, { type: 'published' | 'dropped' | 'rejected' }>;

/** Identity of an announcement, everywhere. */
export interface SegmentId {
  session: string;
  index: number;
}
