import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '@hls-uplink/runtime';
import { loadSettings, type Command, type Settings } from './options.js';

async function settings(
  argv: string[],
  env: NodeJS.ProcessEnv = {},
  command: Command = 'hls-segmenter',
): Promise<Settings> {
  const loaded = await loadSettings(command, argv, env, '1.2.3');
  if ('print' in loaded) throw new Error('only a text');
  return loaded;
}

const original = '- 10 ./spool/ sample_128k stream-128k.m3u8 http://cdn/stream0001/ bucket stream0001'.split(
  ' ',
);

describe('the options', () => {
  test('have defaults', async () => {
    expect(await settings(['-'])).toMatchObject({
      input: '-',
      channel: 'live',
      rendition: 'main',
      segmentDuration: 6,
      uploaders: [{ host: '127.0.0.1', port: 10234 }],
      drainTimeoutMs: 10_000,
      logLevel: 'info',
      warnings: [],
    });
    expect(await settings(['-'])).not.toHaveProperty('endOnEof');
    expect((await settings(['-'])).source).toMatch(/^[\x21-\x7e]+$/);
    expect((await settings(['-'])).spoolFolder).toMatch(/^\/.*hls-segmenter.*\/live\/main$/);
  });

  test('are all taken', async () => {
    const argv = ['--channel', 'news/berlin', '--rendition=720p', '--segment-duration', '4', '--spool', '/s'];
    argv.push(
      '--uploader',
      'a:1,[::1]:2',
      '--source',
      'enc1',
      '--renditions',
      '720p,480p',
      '--bandwidth',
      '5000000',
    );
    argv.push(
      '--no-end-on-eof',
      '--drain-timeout',
      '0',
      '--audio-wait',
      '0',
      '--input-timeout',
      '2.5',
      '--program',
      '1010',
      '--loop',
      '--no-realtime',
      '--log-level',
      'debug',
      'in.ts',
    );
    expect(await settings(argv, { HLS_SEGMENTER_TOKEN: 'secret' })).toEqual({
      input: 'in.ts',
      channel: 'news/berlin',
      rendition: '720p',
      segmentDuration: 4,
      spoolFolder: '/s/news+berlin/720p@enc1',
      uploaders: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
      ],
      source: 'enc1',
      renditions: ['720p', '480p'],
      bandwidth: 5_000_000,
      endOnEof: false,
      drainTimeoutMs: 0,
      audioWaitSeconds: 0,
      inputTimeoutMs: 2500,
      program: 1010,
      loop: true,
      realtime: false,
      logLevel: 'debug',
      token: 'secret',
      warnings: [],
    });
  });

  test('a file in a loop goes at live rate, unless told not to', async () => {
    expect(await settings(['in.ts'])).toMatchObject({ loop: false, realtime: false });
    expect(await settings(['--realtime', 'in.ts'])).toMatchObject({ loop: false, realtime: true });
    expect(await settings(['--loop', 'in.ts'])).toMatchObject({ loop: true, realtime: true });
  });

  test('come from the environment too, flags first', async () => {
    const env = {
      HLS_SEGMENTER_CHANNEL: 'env',
      HLS_SEGMENTER_RENDITION: 'env',
      HLS_SEGMENTER_END_ON_EOF: 'yes',
    };
    expect(await settings(['--channel', 'flag', '-'], env)).toMatchObject({
      channel: 'flag',
      rendition: 'env',
      endOnEof: true,
    });
  });

  test.each([
    [[], 'bad-argument', /argument is missing/],
    [['a', 'b'], 'bad-argument', /one INPUT/],
    [['--chanel', 'x', '-'], 'unknown-option', /--channel/],
    [['--rendition', 'index', '-'], 'bad-option', /derived files/],
    [['--rendition', 'a/b', '-'], 'bad-option', /letters, digits/],
    [['--channel', '../x', '-'], 'bad-option', /letters, digits/],
    [['--segment-duration', '0', '-'], 'bad-option', /--segment-duration "0"/],
    [['--uploader', 'localhost', '-'], 'bad-option', /HOST:PORT/],
    [['--uploader', 'localhost:0', '-'], 'bad-option', /HOST:PORT/],
    [['--uploader', 'localhost:70000', '-'], 'bad-option', /HOST:PORT/],
    [['--bandwidth', '1.5', '-'], 'bad-option', /bandwidth/],
    [['--renditions', 'a,b', '-'], 'bad-option', /must name --rendition main/],
    [['--token', 'x', '-'], 'unknown-option', /HLS_SEGMENTER_TOKEN/],
  ])('%j is refused', async (argv, code, message) => {
    const error: unknown = await settings(argv).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test.each(['hls-segmenter', 'live_upload'] as const)('%s explains itself', async (command) => {
    const loaded = await loadSettings(command, ['--help'], {}, '1.2.3');
    const text = 'print' in loaded ? loaded.print : '';
    for (const word of [
      '--channel',
      '--uploader',
      '--drain-timeout',
      'HLS_SEGMENTER_TOKEN',
      '<key prefix>',
    ]) {
      expect(text.replaceAll(/\s+/g, ' ')).toContain(word);
    }
    expect(await loadSettings(command, ['--version'], {}, '1.2.3')).toEqual({ print: `${command} 1.2.3` });
  });
});

describe('the arguments of the original', () => {
  test.each(['hls-segmenter', 'live_upload'] as const)('do the same job, by %s', async (command) => {
    expect(await settings(original, {}, command)).toMatchObject({
      input: '-',
      channel: 'stream0001',
      rendition: 'stream-128k',
      segmentDuration: 10,
      spoolFolder: `${process.cwd()}/spool/stream0001/stream-128k`,
      endOnEof: true,
      names: {
        bucket: 'bucket',
        index: 'stream-128k.m3u8',
        segmentPrefix: 'sample_128k',
        urlPrefix: 'http://cdn/stream0001/',
      },
    });
  });

  test('can be joined by options that they do not say', async () => {
    const argv = ['--uploader', 'up:7', '--no-end-on-eof', ...original];
    expect(await settings(argv, {}, 'live_upload')).toMatchObject({
      uploaders: [{ host: 'up', port: 7 }],
      endOnEof: false,
    });
    await expect(settings(['--channel', 'x', ...original])).rejects.toThrow('--channel is said');
  });

  test('without an http prefix', async () => {
    const argv = original.with(5, '');
    expect((await settings(argv)).names).not.toHaveProperty('urlPrefix');
  });

  test.each([
    [1, 'ten', /segment duration "ten"/],
    [1, '0', /segment duration/],
    [2, '', /output directory/],
    [3, 'a/b', /file prefix/],
    [4, 'stream.txt', /m3u8 index file/],
    [4, 'index.m3u8', /derived files/],
    [6, '', /bucket name/],
    [7, '/x', /key prefix "\/x"/],
  ])('with argument %d %j are refused', async (at, text, message) => {
    await expect(settings(original.with(at, text), {}, 'live_upload')).rejects.toMatchObject({
      code: 'bad-argument',
      message: expect.stringMatching(message),
    });
  });

  test('are eight', async () => {
    await expect(settings(original.slice(0, 7), {}, 'live_upload')).rejects.toThrow('missing');
    await expect(settings([...original, 'x'], {}, 'live_upload')).rejects.toThrow('unexpected');
  });
});
