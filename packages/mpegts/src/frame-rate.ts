/**
 * Frames a second to three digits, as FRAME-RATE has them (23.976, 59.94); absent for what no picture has: timing that
 * a damaged or careless header makes up.
 */
export function frameRateOf(numerator: number, denominator: number): number | undefined {
  const rate = numerator / denominator;
  return rate >= 0.01 && rate <= 300 ? Math.round(rate * 1000) / 1000 : undefined;
}
