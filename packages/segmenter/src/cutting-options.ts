import type { Clock, Logger } from '@hls-uplink/runtime';
import type { CutSink } from './cut-segment.js';
import type { SpareFiles } from './spare-files.js';

export interface CuttingOptions {
  /** Target of the segment duration, seconds: the slots of the cuts. */
  targetSeconds: number;
  /** Folder for the part files; must exist. */
  spool: string;
  sink: CutSink;
  clock: Clock;
  logger?: Logger;
  /** program_number of the only program to be cut; default: the first with video, else the first with audio. */
  program?: number;
  /** How long a segment waits for its sound after the cut, seconds of stream time; default min(target, 2). */
  audioWaitSeconds?: number;
  /** The spool is in memory, so that writing there never waits; default: what the system says of the folder. */
  inMemory?: boolean;
  /** Files to be written again, for a spool in memory. */
  spares?: SpareFiles;
}
