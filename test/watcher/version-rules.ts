/** What holds for each version of a media playlist by itself, and for its new entries (rules 1, 11–14). */
import type { MediaPlaylist, MediaSegment } from './media-playlist.js';
import type { Fault } from './succession.js';

export interface VersionOptions {
  /** EXT-X-PLAYLIST-TYPE that it must have; a sliding playlist has none. */
  type: 'EVENT' | 'VOD' | undefined;
}

/** EXT-X-VERSION of sliding playlists from birth: a gap may come at any time. */
const slidingVersion = 8;

export function checkVersion(playlist: MediaPlaylist, { type }: VersionOptions): Fault[] {
  const faults: Fault[] = [];
  const least = type === undefined ? Math.max(playlist.leastVersion, slidingVersion) : playlist.leastVersion;
  if (playlist.version < least)
    faults.push({ rule: 13, message: `EXT-X-VERSION is ${playlist.version}, less than ${least}` });
  if (playlist.discontinuitySequence === undefined)
    faults.push({ rule: 11, message: 'no EXT-X-DISCONTINUITY-SEQUENCE' });
  if (playlist.type !== type) {
    const message = `EXT-X-PLAYLIST-TYPE is ${playlist.type ?? 'absent'}, not ${type ?? 'absent'}`;
    faults.push({ rule: 12, message });
  }
  const [first] = playlist.segments;
  if (first !== undefined && first.dateMs === undefined)
    faults.push({ rule: 14, message: 'the first entry has no EXT-X-PROGRAM-DATE-TIME' });
  return faults;
}

/** One tag's rounding to milliseconds on either side, and EXTINF's own. */
const dateToleranceMs = 2;

/** An entry when it is first seen, after the one before it and that one's date. */
export function checkEntry(
  segment: MediaSegment,
  number: number,
  target: number,
  before: { dateMs: number | undefined; durationSeconds: number } | undefined,
): Fault[] {
  const faults: Fault[] = [];
  const { durationSeconds } = segment;
  if (Math.round(durationSeconds) > target || durationSeconds > target + 0.5)
    faults.push({
      rule: 1,
      message: `EXTINF ${durationSeconds} of entry ${number} is over the target of ${target}`,
    });
  if (segment.discontinuity && segment.dateMs === undefined)
    faults.push({
      rule: 14,
      message: `no EXT-X-PROGRAM-DATE-TIME after the discontinuity at entry ${number}`,
    });
  if (segment.discontinuity || segment.dateMs === undefined || before?.dateMs === undefined) return faults;
  const off = segment.dateMs - (before.dateMs + before.durationSeconds * 1000);
  if (Math.abs(off) > dateToleranceMs)
    faults.push({
      rule: 14,
      message: `the date of entry ${number} is ${off.toFixed(1)} ms off the sum of EXTINF`,
    });
  return faults;
}
