import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod';
import { ConfigError } from './errors.js';
import { helpText } from './help.js';
import { optionsOf } from './option.js';
import { load, mistake } from './options.test.schema.js';

describe('secrets', () => {
  test('are no flags: a command line can be read by everyone', async () => {
    const error = await mistake(['--token=hunter2hunter2']);
    expect(error.code).toBe('unknown-option');
    expect(error.message).toContain('HLS_UPLOADER_TOKEN');
    expect(error.message).not.toContain('hunter2');
  });

  test('are not shown when they are wrong', async () => {
    const error = await mistake([], { HLS_UPLOADER_TOKEN: 'hunter2' });
    expect(error.message).toMatch(/^HLS_UPLOADER_TOKEN \(from HLS_UPLOADER_TOKEN\): /);
    expect(error.message).not.toContain('hunter2');
  });
});

describe('help and version', () => {
  test.each([[['--help']], [['-h']], [['--window', 'six', '--help']]])('%j prints the help', async (argv) => {
    const loaded = await load(argv, { HLS_UPLOADER_TOKEN: 'hunter2hunter2' });
    if (loaded.kind !== 'print') throw new Error('no help');
    const text = loaded.text.replaceAll(/\s+/g, ' ');
    expect(text).toMatch(/^Usage: hls-uploader \[options\] Takes segments\./);
    expect(text).toContain(
      '--window segments in the live window [HLS_UPLOADER_WINDOW] [number] [default: 6]',
    );
    expect(text).toContain('--spool-root where announced paths may lie [HLS_UPLOADER_SPOOL_ROOT]');
    expect(text).toContain('--config');
    expect(text).toContain('hls-uploader --store file:///srv/live publish to a folder');
    expect(text).toContain('token [HLS_UPLOADER_TOKEN] what segmenters must say');
    expect(text).toContain('channels settings of channels');
    expect(text).toMatch(/The end\.$/);
    expect(text).not.toContain('--token');
    expect(text).not.toContain('hunter2');
  });

  test('at any width no word is broken and no line too long, but for a word that is', async () => {
    const long = 'https://example.org/a/very/long/address/that/fits/into/no/line/of/a/narrow/terminal';
    const usage = `[options] INPUT\n\n  one         ${'words '.repeat(30)}\n  ${long}  what it is\nThe rest.`;
    const schema = z.strictObject({
      targetDuration: z.number().default(6).describe('seconds of a segment, on average and as a rule'),
      storeTimeoutSeconds: z.string().default('127.0.0.1:10234').describe('how long, and where'),
      token: z
        .string()
        .optional()
        .describe(`shown ${'to whoever asks for it '.repeat(6)}`),
    });
    const options = optionsOf(schema, 'HLS_UPLOADER', ['token']);
    const epilogue = 'Exit codes: '.repeat(20).trim();
    for (let columns = 72; columns <= 110; columns++) {
      const text = await helpText({ name: 'hls-uploader', usage, epilogue }, options, columns);
      const lines = text.split('\n');
      expect(lines.filter((line) => line.length > columns && !line.includes(long))).toEqual([]);
      expect(text).toContain(long);
      for (const name of ['TARGET_DURATION', 'STORE_TIMEOUT_SECONDS', 'TOKEN']) {
        expect(text).toContain(`[HLS_UPLOADER_${name}]`);
      }
      const words = text.split(/\s+/);
      expect(words.filter((word) => word === 'words')).toHaveLength(30);
      expect(words.filter((word) => word === 'codes:')).toHaveLength(20);
      // What goes over stands below what it belongs to.
      const own = lines.filter((line) => line.includes('words')).slice(1);
      expect(own.length).toBeGreaterThan(0);
      expect(own.every((line) => /^ {14}words/.test(line))).toBe(true);
    }
  });

  test('--version', async () => {
    expect(await load(['--version'])).toEqual({ kind: 'print', text: 'hls-uploader 1.2.3' });
  });

  test('after -- they are arguments', async () => {
    expect((await load(['--', '--help'])).kind).toBe('run');
  });
});

test('property: any command line and environment give options or a ConfigError', async () => {
  const word = fc.oneof(
    fc.constantFrom(
      '--window=3',
      '--window',
      '--spool-root',
      '--rate=2',
      '--end-on-eof',
      '--no-end-on-eof',
      '--',
      '-',
      '6',
      '/a,/b',
    ),
    fc.string(),
    fc.string().map((text) => `--${text}`),
  );
  const seen = { run: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(word, { maxLength: 5 }),
      fc.option(fc.oneof(fc.string(), fc.double().map(String))),
      async (argv, text) => {
        const env = text === null ? {} : { HLS_UPLOADER_RATE: text };
        try {
          const loaded = await load(
            argv.filter((arg) => !arg.startsWith('--config')),
            env,
            { min: 0, max: 9 },
          );
          if (loaded.kind === 'run') seen.run++;
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          seen.refused++;
        }
      },
    ),
    { numRuns: 500 },
  );
  process.stdout.write(`command lines: ${JSON.stringify(seen)}\n`);
  expect(Math.min(seen.run, seen.refused)).toBeGreaterThan(30);
});
