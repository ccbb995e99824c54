#!/usr/bin/env node
import './v8-flags.js';

const { runCommand } = await import('../bundle/index.js');
await runCommand('live_upload');
