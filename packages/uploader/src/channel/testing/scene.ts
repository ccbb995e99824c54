import type { FinalAnswer } from '@hls-uplink/protocol';
import type { ChannelEvent } from '../event.js';
import type { ChannelSettings } from '../state.js';
import type { Audience, StoredObjects } from './audience.js';
import type { Encoder } from './encoder.js';
import type { Segmenter } from './segmenter.js';
import type { Timetable } from './timetable.js';
import type { Uploader } from './uploader.js';

export const PTS_WRAP = 2 ** 33;

/** An event whose time is when it is told. */
export type Happening = ChannelEvent extends infer E
  ? E extends ChannelEvent
    ? Omit<E, 'at'>
    : never
  : never;

export interface WorldOptions {
  seed: number;
  renditions: string[];
  targetSeconds?: number;
  window?: number;
  /** Raw PTS of the encoder's first picture. */
  firstPts?: number;
  declared?: boolean;
  /** By how much the encoder's clock is slower than the wall clock, millionths. */
  driftPpm?: number;
  /** Whether segments are encrypted at first. */
  encrypted?: boolean;
  /** The segmenters are on other machines: what the bytes of a segment take to come, milliseconds. */
  bodyMs?: number;
  /** Each rendition has an encoder of its own; the distance of its key pictures, ticks. */
  ownEncoders?: Record<string, number>;
  /** The rendition that has a second source, `<rendition>~b`, and whether it is given the same encode. */
  spare?: { of: string; encode: 'same' | 'other' };
  /** What else is published, as `--dvr` and `--event` say. */
  recordings?: Pick<ChannelSettings, 'dvr' | 'eventSeconds'>;
  /** Whether cues come with the stream. */
  cues?: boolean;
  /** The reducer is given no state that it may change, as in the daemon. */
  immutable?: boolean;
  /** How many of the playlists the store refuses at random, 0 … 1. */
  refused?: number;
}

/** What the simulated processes share. */
export interface Scene {
  readonly options: WorldOptions;
  readonly targetSeconds: number;
  readonly time: Timetable;
  readonly random: () => number;
  readonly encoderOf: (rendition: string) => Encoder;
  readonly segmenters: ReadonlyMap<string, Segmenter>;
  readonly uploader: Uploader;
  readonly store: StoredObjects;
  readonly audience: Audience;
  /** The final answers each announcement has had, by session and index. */
  readonly answers: Map<string, FinalAnswer['type'][]>;
  /** Segments whose files went with their spool, by session and index. */
  readonly vanished: Set<string>;
  /** How often what happened. */
  readonly happened: Record<
    | 'events'
    | 'wraps'
    | 'restarts'
    | 'outages'
    | 'sessions'
    | 'unwritten'
    | 'vanished'
    | 'encryptionSwitches'
    | 'bodies'
    | 'unasked',
    number
  >;
}
