import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTask, type Task } from './options.js';

const secret = 'a secret of at least 32 characters';
const env = { HLS_UPLOADER_ENCRYPTION_SECRET: secret };
const load = (argv: string[], variables: NodeJS.ProcessEnv = env): Promise<Task> =>
  loadTask(argv, variables, '0');

async function encryptionOf(argv: string[], variables?: NodeJS.ProcessEnv): Promise<unknown> {
  const task = await load([...argv, '--store', 'file:///srv/live'], variables);
  return task.kind === 'run' ? task.settings.encryption : task.kind;
}

describe('encryption', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'options-'))));
  afterEach(() => rm(folder, { recursive: true }));

  test('is off without a secret', async () => {
    expect(await encryptionOf([], {})).toBeUndefined();
  });

  test('by environment and flags', async () => {
    expect(await encryptionOf(['--key-store', 'file:///srv/keys'])).toEqual({
      secret,
      rotation: 60,
      keyStore: { url: 'file:///srv/keys', location: { kind: 'directory', path: '/srv/keys' } },
    });
    const keyUrl = 'https://keys.example/{key}';
    expect(await encryptionOf(['--key-url', keyUrl, '--key-rotation', '10'])).toEqual({
      secret,
      rotation: 10,
      keyUrl,
    });
  });

  test('by file', async () => {
    const file = join(folder, 'uploader.yaml');
    await writeFile(file, `encryption-secret: ${secret}\nkey-rotation: 5\nkey-store: s3://keys/live\n`);
    expect(await encryptionOf(['--config', file], {})).toMatchObject({
      secret,
      rotation: 5,
      keyStore: { location: { kind: 's3', bucket: 'keys', prefix: 'live/' } },
    });
  });

  test.each([
    ['nothing that says where keys are', [], env, /needs --key-store.*or --key-url/],
    ['a place for keys without secret', ['--key-store', 'file:///k'], {}, /SECRET is not set.*not encrypted/],
    ['a URL without secret', ['--key-url', '{key}'], {}, /SECRET is not set.*not encrypted/],
    ['a rotation without secret', ['--key-rotation', '2'], {}, /SECRET is not set.*not encrypted/],
    ['no rotation', ['--key-rotation', '0', '--key-url', '{key}'], env, /--key-rotation "0"/],
    ['a URL of all keys', ['--key-url', 'https://keys.example/'], env, /must have \{key\}/],
    ['a URL with quotes', ['--key-url', '"{key}"'], env, /characters that no URL has/],
    ['a store of no kind', ['--key-store', 'keys'], env, /must be a URL/],
    [
      'a short secret',
      ['--key-url', '{key}'],
      { HLS_UPLOADER_ENCRYPTION_SECRET: 'x'.repeat(31) },
      /fewer than 32/,
    ],
    ['a secret in the command line', ['--encryption-secret', secret], {}, /encryption-secret/],
  ])('%s is refused', async (_name, argv, variables, message) => {
    const refused = encryptionOf(argv, variables);
    await expect(refused).rejects.toMatchObject({ name: 'ConfigError' });
    await expect(refused).rejects.toThrow(message);
  });

  test('a secret that is refused is not shown', async () => {
    const short = 'a-short-secret';
    const refused = encryptionOf(['--key-url', '{key}'], { HLS_UPLOADER_ENCRYPTION_SECRET: short });
    await expect(refused).rejects.toThrow(/^(?!.*a-short-secret)/);
  });

  test('hls-uploader key ID prints a key', async () => {
    const id = '0123456789abcdef0123456789abcdef-2-c010f0e1';
    expect(await load(['key', id])).toEqual({ kind: 'print', text: 'cf719430332aaea2d6818fc167dd581e' });
    await expect(load(['key', id], {})).rejects.toThrow(/SECRET is not set/);
    await expect(load(['key', 'x'])).rejects.toThrow(/is no name of a key/);
  });
});
