import {
  intraRefreshObstacles,
  obstaclesOf,
  TICKS_PER_SECOND,
  type ElementaryTrack,
  type Obstacle,
} from '@hls-uplink/mpegts';
import type { Clock, Logger } from '@hls-uplink/runtime';
import type { Decision } from './cutter.js';
import { LogLimit } from './log-limit.js';
import { longestSilence, type Measure } from './picture-silence.js';

/** A GOP fits the target where it misses it by no more than this part: that of 59.94 pictures a second does. */
const FIT = 0.005;
/** Segments of sound alone may start that late in their slots without a word, seconds. */
const LONGEST_SOUND_PES = 0.2;

/** Tells the operator what players will not play, and what does not let segments be what they are meant to be. */
export class TrackRemarks {
  readonly #limit: LogLimit;
  readonly #played = new WeakSet<ElementaryTrack>();
  readonly #gops = new Set<string>();
  #isRefreshed = false;
  #isLong = false;
  #isKeyless = false;

  constructor(
    private readonly logger: Logger,
    clock: Clock,
    private readonly targetSeconds: number,
  ) {
    this.#limit = new LogLimit(clock);
  }

  /** Which players cannot play a track, once it is known what it is: once for each. */
  tracks(tracks: readonly ElementaryTrack[]): void {
    for (const track of tracks) {
      const codec = track.counter?.parameters?.codec;
      if (this.#played.has(track) || (track.counter && codec === undefined)) continue;
      this.#played.add(track);
      this.#obstacles(
        `the ${track.kind} track is ${track.coding}`,
        track.pid,
        obstaclesOf(track.coding, codec),
      );
    }
  }

  /** What becomes of a picture that no player sees at once. */
  start(decision: Decision, key: boolean, pid: number, frameRate: number | undefined): void {
    if (decision === 'wait' || decision === 'on' || decision === 'break') return;
    if (key) this.#refresh(pid);
    else if (decision === 'forced') this.#forced(frameRate);
    else this.#keyless(frameRate);
  }

  /**
   * Sound alone is cut between PES, and they are long. Said once.
   *
   * @param ticks how long the sound of one is
   */
  soundPes(ticks: number): void {
    const seconds = ticks / TICKS_PER_SECOND;
    if (this.#isLong || seconds <= LONGEST_SOUND_PES) return;
    this.#isLong = true;
    this.logger.warn(
      `the PES of the sound are ${text(seconds)} s long, and segments start that much off at most, because no PES is divided`,
      { segmentDuration: this.targetSeconds, remedy: 'ffmpeg -pes_payload_size 0' },
    );
  }

  /** A segment starts where the pictures are only beginning to be refreshed. Said once. */
  #refresh(pid: number): void {
    if (this.#isRefreshed) return;
    this.#isRefreshed = true;
    this.#obstacles(
      'the pictures are refreshed bit by bit (intra refresh), so that segments are not independent',
      pid,
      intraRefreshObstacles(),
    );
  }

  /** Nothing to start at came for so long that pictures go out without. Said once. */
  #keyless(frameRate: number | undefined): void {
    if (this.#isKeyless) return;
    this.#isKeyless = true;
    this.logger.warn(
      'there is no key picture: segments start at any picture and are not independent, so players may show nothing',
      { remedy: this.#flags(this.targetSeconds, frameRate) },
    );
  }

  /** Other things go on without pictures whose time is known. Said once a minute. */
  picturesAway(measure: Measure): void {
    this.#limit.say('pictures away', (fields) =>
      this.logger.warn(
        `no picture with a PTS has come for ${longestSilence[measure]}: the segment is closed, and all is left out until pictures are back`,
        { ...fields, remedy: 'see what the encoder gets to encode, and whether the stream is scrambled' },
      ),
    );
  }

  /**
   * The timestamps jump, or are silent for too long, and the segment ends before. Said once a minute.
   *
   * @param ticks by how much, where that is known
   * @param isWaiting no segment can start there
   */
  jumped(ticks: number | undefined, isWaiting: boolean): void {
    const left = isWaiting ? ', and pictures are left out until the next key picture' : '';
    this.#limit.say('jump', (fields) =>
      this.logger.warn(`the timestamps of the pictures jump: a discontinuity follows${left}`, {
        ...(ticks !== undefined && { seconds: Number(text(ticks / TICKS_PER_SECOND)) }),
        ...fields,
      }),
    );
  }

  /** A segment had to end before the next key picture. Said once a minute. */
  #forced(frameRate: number | undefined): void {
    this.#limit.say('forced', (fields) =>
      this.logger.warn(
        'no key picture came in time: the segment was cut before it became longer than the channel allows, and the next one is not independent',
        { ...fields, remedy: this.#flags(this.targetSeconds, frameRate) },
      ),
    );
  }

  /**
   * Key pictures are further apart than the target, or so that segments cannot all have its length. Each said once.
   *
   * @param gop longest distance of key pictures, ticks
   */
  gop(gop: number, frameRate: number | undefined): void {
    const target = this.targetSeconds;
    const seconds = gop / TICKS_PER_SECOND;
    const perSegment = Math.max(1, Math.round(target / seconds));
    if (fits(perSegment * seconds, target)) return;
    const what =
      seconds > target ? 'further apart than the segments are to be long' : 'no part of the segment duration';
    if (this.#gops.has(what)) return;
    this.#gops.add(what);
    const longest = Math.ceil(target / seconds) * seconds;
    this.logger.warn(`key pictures are ${text(seconds)} s apart, ${what}`, {
      segmentDuration: target,
      longestSegment: Number(text(longest)),
      remedy: this.#flags(seconds, frameRate),
    });
  }

  #obstacles(what: string, pid: number, obstacles: readonly Obstacle[]): void {
    if (obstacles.length === 0) return;
    const fields = Object.fromEntries(
      obstacles.map(({ player, where, reason }) => [
        player,
        `${where === 'never' ? 'does not play it' : 'plays it in some browsers'}: ${reason}`,
      ]),
    );
    this.logger.warn(`${what}, which not every player plays`, { pid, ...fields });
  }

  /** What to tell ffmpeg, so that the key picture distance is a part of the target, and like what it is. */
  #flags(seconds: number, frameRate: number | undefined): string {
    const target = this.targetSeconds;
    const [shorter, longer] = [Math.ceil(target / seconds), Math.max(1, Math.floor(target / seconds))];
    if (frameRate === undefined) {
      const interval = target / (isNearer(target / longer, target / shorter, seconds) ? longer : shorter);
      return `a keyframe interval of ${text(interval)} s, without others at scene changes`;
    }
    const pictures = gopLike(seconds * frameRate, target * frameRate);
    const flags = `ffmpeg -g ${pictures} -keyint_min ${pictures} -sc_threshold 0`;
    const perSegment = Math.max(1, Math.round((target * frameRate) / pictures));
    return fits(pictures * perSegment, target * frameRate)
      ? flags
      : `${flags}, and --segment-duration ${text((pictures * perSegment) / frameRate)}`;
  }
}

const fits = (length: number, target: number): boolean => Math.abs(length - target) <= FIT * target;

/** Whether `a` is nearer to `to` than `b` is, as a ratio. */
const isNearer = (a: number, b: number, to: number): boolean =>
  Math.max(a / to, to / a) < Math.max(b / to, to / b);

/** The whole number of pictures, of those that fit into a segment of so many, that is most like `wanted`. */
function gopLike(wanted: number, segment: number): number {
  let best: number | undefined;
  for (let perSegment = 1; perSegment <= segment; perSegment++) {
    const pictures = Math.round(segment / perSegment);
    if (!fits(pictures * perSegment, segment)) continue;
    if (best === undefined || isNearer(pictures, best, wanted)) best = pictures;
  }
  return best ?? Math.max(1, Math.round(segment));
}

const text = (seconds: number): string => String(Math.round(seconds * 1000) / 1000);
