export * from './errors.js';
export * from './framing.js';
export * from './legacy.js';
export * from './messages.js';
export * from './parse.js';
export * from './pts.js';
export * from './spool-base.js';
