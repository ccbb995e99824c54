#!/usr/bin/env node
const { runCommand } = require('./bundle.js');

// Where it ends although something is awaited still, as Node.js does.
process.exitCode = 13;
void runCommand('live_upload');
