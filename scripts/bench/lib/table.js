export const seconds = (value) => `${value.toFixed(2)} s`;
export const megabytes = (value) => `${(value / 1e6).toFixed(1)} MB`;
export const percent = (value) => `${(value * 100).toFixed(2)} %`;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median, and least to most. */
function spread(values, text) {
  if (values.length === 1) return text(values[0]);
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`;
}

/** A row: ours against theirs. The ratio is that of the medians, its spread that of the turns. */
export function compare({ what, ours, theirs, target, text }) {
  const ratio = median(ours) / median(theirs);
  const ratios = ours.map((value, turn) => value / theirs[turn]);
  const shown = (value) => value.toFixed(2);
  return {
    what,
    ours: spread(ours, text),
    theirs: spread(theirs, text),
    ratio: `${shown(ratio)} (${shown(Math.min(...ratios))} to ${shown(Math.max(...ratios))})`,
    ...(target !== undefined && { target: `≤ ${shown(target)}`, met: ratio <= target }),
  };
}

const WIDTHS = [40, 32, 32, 22, 8];
const line = (cells) =>
  cells
    .map((cell, n) => (cell ?? '').padEnd(WIDTHS[n] ?? 0))
    .join('  ')
    .trimEnd();

export const header = () => line(['', 'hls-segmenter', 'ffmpeg -c copy -f hls', 'ratio', 'target']);

export function row({ what, ours, theirs, ratio, target, met }) {
  return line([what, ours, theirs, ratio, target, met === undefined ? '' : met ? 'met' : 'MISSED']);
}
