export { play, type PlayOptions } from './play.js';
export type { ForcedSwitch, Jump, PlayReport, Stall } from './play-report.js';
export { expectPlayedInRealTime, expectPlayedOn, frozenMs, type Expectations } from './expectations.js';
export { decodeAll, expectDecoded, segmentsOfPlaylist, type Decoded, type Segment } from './decode.js';
export { acceptedByParsers, complaintsOfParsers } from './parsers.js';
export { readByFfmpeg, type ReadByFfmpeg } from './read.js';
export { serveStatic, type StaticOptions, type StaticServer } from './static-server.js';
export { wind, type ShownPicture, type WindReport } from './wind.js';
