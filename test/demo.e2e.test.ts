import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort, start, until, type StartedProcess } from './helpers/processes.js';

const root = join(import.meta.dirname, '..');
const renditions = ['low', 'mid', 'high'];

describe('scripts/demo', () => {
  let folder: string;
  let ports: { http: number; uploader: number };
  let demo: StartedProcess | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hls-demo-'));
    ports = { http: await freePort(), uploader: await freePort() };
  });
  afterAll(async () => {
    // Its children are in groups of their own: the second signal makes it stop them at once.
    demo?.killAlone('SIGTERM');
    demo?.killAlone('SIGINT');
    await demo?.exited;
    await rm(folder, { recursive: true, force: true });
  });

  const run = async (...args: string[]): Promise<StartedProcess> =>
    (demo = await start(
      join(root, 'scripts/demo'),
      ['--http-port', `${ports.http}`, '--port', `${ports.uploader}`, '--dir', folder, ...args],
      { name: 'demo', cwd: folder },
    ));

  const published = (name: string): Promise<string> =>
    readFile(join(folder, 'published/demo', `${name}.m3u8`), 'utf8');

  async function playlists(): Promise<{ first: number; last: number; text: string }[]> {
    const texts = await Promise.all(renditions.map(published));
    return texts.map((text) => {
      const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m.exec(text)?.[1]);
      return { first, last: first + (text.match(/^#EXTINF/gm)?.length ?? 0) - 1, text };
    });
  }

  async function playUntilStopped(): Promise<void> {
    const running = await run();
    await running.waitForLine(/The stream is live/, 150_000);
    const [, page = ''] = await running.waitForLine(/page: +(http\S+)/);
    const [, playlist = ''] = await running.waitForLine(/playlist: +(http\S+)/);
    const html = await fetch(page);
    expect([html.status, html.headers.get('content-type')]).toEqual([
      200,
      expect.stringMatching(/^text\/html/),
    ]);
    const multivariant = await fetch(playlist);
    expect(multivariant.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
    const text = await multivariant.text();
    for (const name of renditions) expect(text).toContain(`${name}.m3u8`);
    // Two more segments, in each.
    const before = await playlists();
    await until(
      async () => (await playlists()).every(({ last }, at) => last >= (before[at]?.last ?? 0) + 2),
      {
        what: 'two more segments',
        timeoutMs: 30_000,
      },
    );
    expect((await playlists()).map(({ text }) => text).join()).not.toContain('#EXT-X-ENDLIST');
    running.kill('SIGINT');
    expect(await running.exited).toEqual({ code: 0, signal: null });
  }

  test('shows a live stream; Ctrl-C closes it; run again, a new life begins', async () => {
    await playUntilStopped();
    const firstLife = await playlists();
    for (const { text } of firstLife) {
      expect(text).toMatch(/#EXT-X-ENDLIST\n$/);
      expect(text).not.toContain('#EXT-X-GAP');
    }
    expect(new Set(firstLife.map(({ last }) => last)).size).toBe(1);

    await playUntilStopped();
    for (const [at, { first, text }] of (await playlists()).entries()) {
      expect(first).toBeGreaterThan(firstLife[at]?.last ?? Infinity);
      expect(text).toMatch(/#EXT-X-ENDLIST\n$/);
    }
    // Nothing waits in a spool for an answer.
    for (const name of renditions) {
      const left = await readdir(join(folder, 'spool/demo', name));
      expect(left.filter((file) => file.endsWith('.ts'))).toEqual([]);
    }
  }, 300_000);

  test('a file that ffmpeg cannot read, and a port that is taken: one line, exit code 1', async () => {
    const missing = await run('no-such-file.mp4');
    await missing.waitForLine(/^✗ there is no file .*no-such-file\.mp4$/, 60_000);
    expect((await missing.exited).code).toBe(1);

    const unreadable = await run(join(root, 'LICENSE'));
    await unreadable.waitForLine(/^✗ ffmpeg cannot read .*LICENSE: /, 60_000);
    expect((await unreadable.exited).code).toBe(1);

    const { createServer } = await import('node:net');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports.http, '127.0.0.1', resolve));
    const taken = await run();
    await taken.waitForLine(/^✗ port \d+ on 127\.0\.0\.1 is taken.* --http-port \d+$/, 60_000);
    expect((await taken.exited).code).toBe(1);
    await new Promise((resolve) => server.close(resolve));
    for (const { lines } of [missing, unreadable, taken]) {
      expect(lines.map(({ text }) => text).join('\n')).not.toMatch(/^\s+at /m);
    }
  }, 200_000);
});
