import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { loadOptions } from './options.js';
import { defaults, mistake, run, type Options } from './options.test.schema.js';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'options-'));
});
afterAll(() => rm(dir, { recursive: true }));

let files = 0;
async function file(text: string): Promise<string> {
  const path = join(dir, `${files++}.yaml`);
  await writeFile(path, text);
  return path;
}

describe('loadOptions', () => {
  test('defaults', async () => {
    expect(await run([])).toEqual({
      kind: 'run',
      options: defaults,
      positionals: [],
      sources: {},
      warnings: [],
    });
  });

  test('flags go before variables, these before the file, this before defaults', async () => {
    const config = await file('listen: from-file\nwindow: 1\nrate: 0.5\n');
    const env = { HLS_UPLOADER_WINDOW: '2', HLS_UPLOADER_RATE: '2.5', OTHER: 'x' };
    const { options, sources } = await run(['--rate', '3', '--config', config], env);
    expect(options).toMatchObject({ listen: 'from-file', window: 2, rate: 3, level: 'info' });
    expect(sources).toEqual({ listen: `the file ${config}`, window: 'HLS_UPLOADER_WINDOW', rate: '--rate' });
  });

  test('the file may be named in the environment; the flag goes before it', async () => {
    const one = await file('window: 1');
    const two = await file('window: 2');
    const env = { HLS_UPLOADER_CONFIG: one };
    expect((await run([], env)).options.window).toBe(1);
    expect((await run([`--config=${two}`], env)).options.window).toBe(2);
    expect((await run([], env)).warnings).toEqual([]);
  });

  test.each<[string, string[], Partial<Options>]>([
    ['0 is a value', ['--window', '0'], { window: 0 }],
    ['an equals sign', ['--window=0', '--listen=a=b'], { window: 0, listen: 'a=b' }],
    ['the last one counts', ['--window', '1', '--window', '2'], { window: 2 }],
    ['a value may begin with a dash', ['--listen', '-x'], { listen: '-x' }],
    ['exponents', ['--rate', '1e-3'], { rate: 0.001 }],
    ['a boolean', ['--end-on-eof'], { endOnEof: true }],
    ['a boolean denied', ['--no-end-on-eof'], { endOnEof: false }],
    ['a boolean with a value', ['--end-on-eof=no'], { endOnEof: false }],
    ['repeated', ['--spool-root', '/a', '--spool-root', '/b'], { spoolRoot: ['/a', '/b'] }],
    [
      'with commas',
      ['--spool-root=/a, /b', '--sizes', '1,0,2.5'],
      { spoolRoot: ['/a', '/b'], sizes: [1, 0, 2.5] },
    ],
    [
      'a map',
      ['--buckets', 'a=s3://x/?y=1', '--buckets', 'b=file:///'],
      { buckets: { a: 's3://x/?y=1', b: 'file:///' } },
    ],
    ['a choice', ['--level', 'debug'], { level: 'debug' }],
    ['what the schema makes of it', ['--store', 'file:///x'], { store: new URL('file:///x') }],
  ])('%s', async (_name, argv, expected) => {
    expect((await run(argv)).options).toEqual({ ...defaults, ...expected });
  });

  test('arguments are left as they are', async () => {
    const any = { min: 0, max: 9 };
    expect((await run(['-', '10', '--window', '3', 'x'], {}, any)).positionals).toEqual(['-', '10', 'x']);
    expect((await run(['--end-on-eof', 'x', '--', '--help', '-h'], {}, any)).positionals).toEqual([
      'x',
      '--help',
      '-h',
    ]);
  });

  test('the environment gives lists with commas, and booleans in words', async () => {
    const env = {
      HLS_UPLOADER_SPOOL_ROOT: '/a,/b',
      HLS_UPLOADER_END_ON_EOF: 'yes',
      HLS_UPLOADER_TOKEN: 'very-secret',
    };
    expect((await run([], env)).options).toMatchObject({
      spoolRoot: ['/a', '/b'],
      endOnEof: true,
      token: 'very-secret',
    });
  });

  test('the file gives values of every kind', async () => {
    const config = await file(
      'spool-root: [/a, "/b,c"]\nbuckets: {a: s3://x}\nend-on-eof: false\nchannels: [{name: live}]\ntoken: very-secret\n',
    );
    expect((await run(['--config', config])).options).toEqual({
      ...defaults,
      spoolRoot: ['/a', '/b,c'],
      buckets: { a: 's3://x' },
      endOnEof: false,
      channels: [{ name: 'live' }],
      token: 'very-secret',
    });
    expect((await run(['--config', await file('# nothing\n')])).options).toEqual(defaults);
  });

  test('a variable with the prefix that names no option is worth a warning', async () => {
    const env = { HLS_UPLOADER_WINDO: '1', HLS_UPLOADER_SERVICE_HOST: '10.0.0.1' };
    const { warnings } = await run([], env);
    expect(warnings).toEqual([
      expect.stringContaining('HLS_UPLOADER_WINDO names no option: did you mean HLS_UPLOADER_WINDOW?'),
      expect.stringMatching(/HLS_UPLOADER_SERVICE_HOST names no option$/),
    ]);
  });
});

describe('every mistake names option, source, what was wrong and what is expected', () => {
  test.each<[string, string[], NodeJS.ProcessEnv, string, RegExp]>([
    [
      'no number',
      ['--window', 'six'],
      {},
      'bad-option',
      /^--window "six" \(from the command line\): not a number; expected: segments in the live window \(default 6\)$/,
    ],
    [
      'no number',
      [],
      { HLS_UPLOADER_WINDOW: '0x6' },
      'bad-option',
      /^--window "0x6" \(from HLS_UPLOADER_WINDOW\): not a number/,
    ],
    ['NaN', ['--rate', 'NaN'], {}, 'bad-option', /not a number/],
    ['Infinity', ['--rate', 'Infinity'], {}, 'bad-option', /not a number/],
    ['too large', ['--rate', '1e999'], {}, 'bad-option', /not a number/],
    ['empty', ['--rate', ''], {}, 'bad-option', /^--rate "" .*is empty/],
    ['empty', ['--listen='], {}, 'bad-option', /is empty/],
    [
      'empty',
      [],
      { HLS_UPLOADER_LISTEN: '' },
      'bad-option',
      /^--listen "" \(from HLS_UPLOADER_LISTEN\): is empty/,
    ],
    ['an empty piece', ['--spool-root', '/a,'], {}, 'bad-option', /is empty/],
    ['below the least', ['--window=-1'], {}, 'bad-option', /^--window "-1" .*>=0/],
    ['not whole', ['--window=1.5'], {}, 'bad-option', /int/],
    ['no choice', ['--level', 'all'], {}, 'bad-option', /"info"\|"debug"/],
    ['no boolean', ['--end-on-eof=maybe'], {}, 'bad-option', /neither true nor false/],
    ['no pair', ['--buckets', 'x'], {}, 'bad-option', /name=value/],
    ['a number in a list', ['--sizes', '1,x'], {}, 'bad-option', /^--sizes "1,x" .*not a number/],
    [
      'what the schema refuses',
      ['--store', 'here'],
      {},
      'bad-option',
      /^--store "here" .*not a URL; expected: where objects go/,
    ],
    ['a structure', ['--channels', 'x'], {}, 'bad-option', /only be set in the configuration file/],
    ['no value', ['--window'], {}, 'bad-option', /^--window needs a value$/],
    ['unknown', ['--windw', '1'], {}, 'unknown-option', /^unknown option --windw: did you mean --window\?$/],
    ['unknown', ['--quux=1'], {}, 'unknown-option', /^unknown option --quux: --help/],
    ['unknown', ['-x'], {}, 'unknown-option', /^unknown option -x/],
    ['camel case', ['--spoolRoot', 'x'], {}, 'unknown-option', /did you mean --spool-root\?/],
    ['a denied option with a value', ['--no-listen'], {}, 'unknown-option', /--no-listen/],
    ['too many arguments', ['a', 'b'], {}, 'bad-argument', /unexpected argument "b"/],
  ])('%s: %j', async (_name, argv, env, code, message) => {
    const error = await mistake(argv, env);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('too few arguments', async () => {
    expect((await mistake([], {}, { min: 1, max: 1 })).code).toBe('bad-argument');
  });

  test.each<[string, string, string, RegExp]>([
    [
      'an unknown name',
      'windw: 1',
      'unknown-option',
      /^unknown name windw in the file .*\.yaml: did you mean window\?$/,
    ],
    ['camel case', 'spoolRoot: [x]', 'unknown-option', /did you mean spool-root\?/],
    [
      'a text for a number',
      'window: "6"',
      'bad-option',
      /^--window "6" \(from the file .*\.yaml\): .*number/,
    ],
    ['a number for a text', 'listen: 5', 'bad-option', /^--listen "5" \(from the file .*string/],
    ['nothing', 'window:', 'bad-option', /is empty/],
    ['not a number', 'window: .nan', 'bad-option', /--window/],
    ['a wrong item', 'spool-root: [a, 5]', 'bad-option', /item 1/],
    ['an unknown name inside', 'channels: [{nam: x}]', 'bad-option', /channels/],
    ['a name twice', 'window: 1\nwindow: 2', 'bad-config-file', /cannot use the configuration file .*unique/],
    ['no YAML', 'a: [', 'bad-config-file', /cannot use the configuration file .*: give --config/],
    ['a list', '- a', 'bad-config-file', /no list/],
    ['a text', 'hello', 'bad-config-file', /no list/],
  ])('in the file: %s', async (_name, text, code, message) => {
    const error = await mistake(['--config', await file(text)]);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  });

  test('a file that is not there, or is a folder', async () => {
    const missing = await mistake(['--config', join(dir, 'none.yaml')]);
    expect(missing).toMatchObject({ code: 'bad-config-file', message: expect.stringContaining('ENOENT') });
    expect(await mistake(['--config', dir])).toMatchObject({ code: 'bad-config-file' });
  });

  test('a required option names where it can be set', async () => {
    const required = loadOptions({
      name: 'x',
      version: '1',
      schema: z.strictObject({ streamName: z.string().describe('what to play') }),
      argv: [],
      env: {},
      envPrefix: 'X',
      usage: '',
    });
    await expect(required).rejects.toMatchObject({
      code: 'missing-option',
      message: '--stream-name is not set: what to play',
    });
  });

  test('a rule between options names the option it is about', async () => {
    const least = z
      .strictObject({ least: z.number().default(1).describe('the least'), most: z.number().default(2) })
      .refine(({ least, most }) => least <= most, { path: ['least'], message: 'is above --most' });
    const loading = loadOptions({
      name: 'x',
      version: '1',
      schema: least,
      argv: ['--least', '3'],
      env: {},
      envPrefix: 'X',
      usage: '',
    });
    await expect(loading).rejects.toMatchObject({
      code: 'bad-option',
      message: '--least "3" (from the command line): is above --most; expected: the least (default 1)',
    });
  });
});
