/** What `--help` of the real commands prints: laid out for 80 columns where there is no terminal, no word broken. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { LIVE_UPLOAD, SEGMENTER, UPLOADER } from './helpers/live.js';

const run = promisify(execFile);
const COLUMNS = 80;

/** Each flag and variable of the commands, from their words and not from their code. */
const SEGMENTING = [
  'channel',
  'rendition',
  'segment-duration',
  'program',
  'uploader',
  'drain-timeout',
  'log-level',
];
const UPLOADING = [
  'listen',
  'http',
  'store',
  'spool-root',
  'key-rotation',
  'key-store',
  'key-url',
  'target-duration',
  'drain-timeout',
  'log-level',
];
/** No flags: command lines can be read by everyone. */
const SECRETS = { HLS_SEGMENTER: ['token'], HLS_UPLOADER: ['token', 'encryption-secret'] };

describe.each([
  { name: 'hls-segmenter', path: SEGMENTER, prefix: 'HLS_SEGMENTER' as const, flags: SEGMENTING },
  { name: 'live_upload', path: LIVE_UPLOAD, prefix: 'HLS_SEGMENTER' as const, flags: SEGMENTING },
  { name: 'hls-uploader', path: UPLOADER, prefix: 'HLS_UPLOADER' as const, flags: UPLOADING },
])('$name --help', ({ name, path, prefix, flags }) => {
  test('fits, and breaks no name', async () => {
    const { stdout, stderr } = await run(process.execPath, [path, '--help']);
    expect(stderr).toBe('');
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(new RegExp(`^Usage: ${name} \\[options\\]`));
    expect(lines.filter((line) => line.length > COLUMNS)).toEqual([]);

    const names = stdout.match(/\[HLS_[^\]]*\]/g) ?? [];
    expect(names.filter((variable) => !/^\[HLS_[A-Z_]+\]$/.test(variable))).toEqual([]);
    // Nothing that begins as one is cut off before its bracket.
    expect(names).toHaveLength(stdout.split('[HLS_').length - 1);
    const variable = (flag: string): string => `[${prefix}_${flag.toUpperCase().replaceAll('-', '_')}]`;
    expect(names).toEqual(expect.arrayContaining([...flags, ...SECRETS[prefix]].map(variable)));
    const shown = [...stdout.matchAll(/^ +(?:-h, )?--([a-z-]+)/gm)].map(([, flag = '']) => flag);
    expect(shown).toEqual(expect.arrayContaining([...flags, 'config', 'help', 'version']));
    expect(names).toHaveLength(shown.length - 3 + SECRETS[prefix].length);
  });
});
