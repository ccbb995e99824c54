import { setFlagsFromString } from 'node:v8';

// Here rather than in the first line of the command, so that they hold however the file is started, and set before
// anything else is loaded. The first keeps the young generation small: 3 MB less for each process, 12 MB at the peak.
// The second compiles less at a time: a fifth less work until all is compiled, and no more after it.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--max-inlined-bytecode-size-cumulative=100');
