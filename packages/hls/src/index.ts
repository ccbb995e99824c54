export * from './i-frame-playlist.js';
export { type ParseLimits } from './lines.js';
export * from './media-playlist.js';
export * from './media-segment.js';
export * from './multivariant-playlist.js';
export * from './playlist.js';
export * from './playlist-error.js';
export { formatProgramDateTime } from './program-date-time.js';
export * from './window.js';
