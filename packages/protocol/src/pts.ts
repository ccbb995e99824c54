/** Timestamps count 90 kHz ticks in 33 bits (ISO/IEC 13818-1 §2.4.3.7) and start again at 0 every 26.5 hours. */
export const PTS_MODULUS = 2 ** 33;

/** Ticks a second. */
export const PTS_HZ = 90_000;

// JavaScript's bit operators cut to 32 bits, so the arithmetic is by remainder.
const wrap = (ticks: number): number => ((ticks % PTS_MODULUS) + PTS_MODULUS) % PTS_MODULUS;

/** `pts` moved by `ticks` (of either sign), 0 ≤ result < 2^33. */
export function ptsAdd(pts: number, ticks: number): number {
  return wrap(pts + ticks);
}

/** Ticks from `start` forward to `end`, 0 ≤ result < 2^33. */
export function ptsDuration(start: number, end: number): number {
  return wrap(end - start);
}

/** `a − b` by the shorter way round, −2^32 ≤ result < 2^32: negative when `a` comes before `b`. */
export function ptsDifference(a: number, b: number): number {
  const forward = wrap(a - b);
  return forward < PTS_MODULUS / 2 ? forward : forward - PTS_MODULUS;
}

/**
 * The slot a raw timestamp falls in: `floor(PTS / target)`. Keeps no history, so that all who see the same picture
 * find the same slot; not monotonic across the wrap.
 */
export function ptsSlot(pts: number, targetSeconds: number): number {
  return Math.floor(pts / Math.round(targetSeconds * PTS_HZ));
}
