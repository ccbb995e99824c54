import { PTS_HZ, PTS_MODULUS, ptsSlot } from '@hls-uplink/protocol';

/** Ticks of 90 kHz. Raw ones are the 33 bits of a PES header, unwrapped ones count on over the wrap. */
export const TICKS_PER_SECOND = PTS_HZ;
export const TICKS_PER_MS = 90;

/** The unwrapped value of `raw` nearest to `expected`. */
export function unwrapNear(raw: number, expected: number): number {
  return raw + Math.round((expected - raw) / PTS_MODULUS) * PTS_MODULUS;
}

function grid(targetSeconds: number): { ticks: number; perWrap: number } {
  const ticks = Math.round(targetSeconds * TICKS_PER_SECOND);
  return { ticks, perWrap: Math.ceil(PTS_MODULUS / ticks) };
}

/** The slot's place: the value `floor(raw / target)` the segment was cut by, counting on over the wrap. */
export function placeOf(start: number, targetSeconds: number): number {
  const { perWrap } = grid(targetSeconds);
  const wraps = Math.floor(start / PTS_MODULUS);
  return wraps * perWrap + ptsSlot(start - wraps * PTS_MODULUS, targetSeconds);
}

/** Where the slot of that place begins, unwrapped. */
export function nominalStart(place: number, targetSeconds: number): number {
  const { ticks, perWrap } = grid(targetSeconds);
  const wraps = Math.floor(place / perWrap);
  return wraps * PTS_MODULUS + (place - wraps * perWrap) * ticks;
}
