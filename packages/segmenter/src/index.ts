export { runCommand } from './command.js';
export { loadSettings, type Command, type Settings } from './options.js';
export { runSegmenter, type Surroundings } from './segmenter.js';
