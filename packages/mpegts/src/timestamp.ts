/** Timestamps count 90 kHz in 33 bits (ISO/IEC 13818-1 §2.4.3.7). They don't fit 32-bit operators: no shifts here. */
export const TICKS_PER_SECOND = 90_000;
/** 2^33: 95,443.718 s. */
export const TIMESTAMP_MODULUS = 2 ** 33;

/** `value` brought into 0 … 2^33 − 1. */
export function wrapTimestamp(value: number): number {
  const rest = value % TIMESTAMP_MODULUS;
  return rest < 0 ? rest + TIMESTAMP_MODULUS : rest;
}

/** `to − from` on the circle: the shorter way, −2^32 … 2^32 − 1 ticks. */
export function timestampDelta(from: number, to: number): number {
  const forward = wrapTimestamp(to - from);
  return forward >= TIMESTAMP_MODULUS / 2 ? forward - TIMESTAMP_MODULUS : forward;
}

/** The five bytes of a PTS or DTS field at `at`, marker bits ignored (ISO/IEC 13818-1 §2.4.3.6). */
export function readTimestamp(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! >> 1) & 7) * 2 ** 30 +
    ((bytes[at + 1]! << 22) | ((bytes[at + 2]! >> 1) << 15) | (bytes[at + 3]! << 7) | (bytes[at + 4]! >> 1))
  );
}
