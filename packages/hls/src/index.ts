export * from './media-segment.js';
export * from './playlist.js';
