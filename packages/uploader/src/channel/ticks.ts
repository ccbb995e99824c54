/** Ticks of 90 kHz. Raw ones are the 33 bits of a PES header, unwrapped ones count on over the wrap. */
export const WRAP_90K = 2 ** 33;
export const TICKS_PER_SECOND = 90_000;
export const TICKS_PER_MS = 90;

/** The unwrapped value of `raw` nearest to `expected`. */
export function unwrapNear(raw: number, expected: number): number {
  return raw + Math.round((expected - raw) / WRAP_90K) * WRAP_90K;
}

/** From `start` to `end`, both raw, `end` being the later one. */
export function rawDuration(start: number, end: number): number {
  return (((end - start) % WRAP_90K) + WRAP_90K) % WRAP_90K;
}

function grid(targetSeconds: number): { ticks: number; perWrap: number } {
  const ticks = Math.round(targetSeconds * TICKS_PER_SECOND);
  return { ticks, perWrap: Math.ceil(WRAP_90K / ticks) };
}

/** The slot's place: the value `floor(raw / target)` the segment was cut by, counting on over the wrap. */
export function placeOf(start: number, targetSeconds: number): number {
  const { ticks, perWrap } = grid(targetSeconds);
  const wraps = Math.floor(start / WRAP_90K);
  return wraps * perWrap + Math.floor((start - wraps * WRAP_90K) / ticks);
}

/** Where the slot of that place begins, unwrapped. */
export function nominalStart(place: number, targetSeconds: number): number {
  const { ticks, perWrap } = grid(targetSeconds);
  const wraps = Math.floor(place / perWrap);
  return wraps * WRAP_90K + (place - wraps * perWrap) * ticks;
}
