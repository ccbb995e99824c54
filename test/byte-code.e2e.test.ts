/** The built `hls-segmenter` starts from the byte code beside its bundle, and without it where it does not fit. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { SEGMENTER } from './helpers/live.js';

const run = promisify(execFile);
jest.setTimeout(60_000);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'byte-code-'));
  const shipped = dirname(dirname(SEGMENTER));
  for (const part of ['bin', 'bundle', 'package.json'])
    cpSync(join(shipped, part), join(folder, part), { recursive: true });
  symlinkSync(join(shipped, '../../node_modules'), join(folder, 'node_modules'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Whether its start takes the byte code; that it starts is shown by what it says of itself. */
async function takesByteCode(): Promise<boolean> {
  const { stdout: said } = await run(process.execPath, [join(folder, 'bin/hls-segmenter.js'), '--version']);
  expect(said).toMatch(/^hls-segmenter \d/);
  const { stdout } = await run(process.execPath, [
    ...['-p', 'require(process.argv[1]).isCached', join(folder, 'bin/bundle.js')],
  ]);
  return stdout.trim() === 'true';
}

test('the byte code that the build has made is taken', async () => {
  expect(await takesByteCode()).toBe(true);
});

test('byte code of another source of the same length is not', async () => {
  const path = join(folder, 'bundle/index.js');
  const source = readFileSync(path, 'utf8');
  const other = source.replace('trying on', 'trying ON');
  expect(other).not.toBe(source);
  writeFileSync(path, other);
  expect(await takesByteCode()).toBe(false);
});

test.each([
  ['missing', (path: string) => rmSync(path)],
  ['empty', (path: string) => truncateSync(path)],
  ['cut off', (path: string) => truncateSync(path, 1000)],
])('nor is it needed: %s', async (_, damage) => {
  damage(join(folder, 'bundle/index.js.cache'));
  expect(await takesByteCode()).toBe(false);
});
