import { decimalNumber, excerpt } from './lines.js';
import { PlaylistError } from './playlist-error.js';

const TICKS_PER_SECOND = 90_000;

/** No segment lasts longer than the 33-bit clock runs. */
const LONGEST_TICKS = 2 ** 33;

/** Six decimals: a tick is 11 µs, so the exact number of ticks is found again (RFC 8216 §4.3.2.1). */
export function formatExtinf(duration90k: number): string {
  if (!Number.isInteger(duration90k) || duration90k < 0 || duration90k > LONGEST_TICKS) {
    throw new Error(`not the duration of a segment: ${duration90k} ticks`);
  }
  return (duration90k / TICKS_PER_SECOND).toFixed(6);
}

/** The duration of `<duration>,[<title>]` in ticks; the comma, which old tools leave out, may be missing. */
export function parseExtinf(value: string, line: number): number {
  const [duration = ''] = value.split(',', 1);
  const ticks = Math.round(decimalNumber('EXTINF', duration.trim(), line) * TICKS_PER_SECOND);
  if (ticks > LONGEST_TICKS) {
    throw new PlaylistError('bad-value', line, `EXTINF is ${excerpt(duration)}, longer than a day`);
  }
  return ticks;
}
