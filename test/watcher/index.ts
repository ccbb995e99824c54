export { watch, type Watcher, type WatchOptions } from './watch.js';
export {
  describeViolation,
  expectNoViolations,
  expectOnlyDiscontinuities,
  expectOnlyGaps,
  type Report,
} from './report.js';
export {
  ended,
  lastLife,
  type History,
  type ObservedSegment,
  type RenditionHistory,
  type Version,
  type Violation,
} from './history.js';
export { isCutOff } from './continuity-rules.js';
export { inspectSegment, type SegmentFacts } from './segment-facts.js';
