import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chromium } from 'playwright-core';
import { freePort, start, until, type StartedProcess } from './helpers/processes.js';
import { serveStatic } from './player/static-server.js';

const root = join(import.meta.dirname, '..');
const renditions = ['low', 'mid', 'high'];
const noVisit = (): Promise<void> => Promise.resolve();

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

  const run = (...args: string[]): Promise<StartedProcess> => runWith({}, ...args);
  const runWith = async (env: Record<string, string>, ...args: string[]): Promise<StartedProcess> =>
    (demo = await start(
      join(root, 'scripts/demo'),
      ['--http-port', `${ports.http}`, '--port', `${ports.uploader}`, '--dir', folder, ...args],
      { name: 'demo', cwd: folder, env },
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

  /** The page as its visitor sees it: the picture moves, and all comes from this machine. */
  async function visit(page: string): Promise<void> {
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'],
    });
    try {
      const tab = await browser.newPage();
      const hosts = new Set<string>();
      const asked: string[] = [];
      const bad: string[] = [];
      tab.on('request', (request) => {
        const url = new URL(request.url());
        if (url.protocol === 'data:' || url.protocol === 'blob:') return;
        hosts.add(url.hostname);
        asked.push(url.pathname);
      });
      // A player gives up a segment when it changes its mind on the level.
      tab.on('requestfailed', (request) => {
        const why = request.failure()?.errorText ?? '';
        if (why !== 'net::ERR_ABORTED') bad.push(`${request.url()} ${why}`);
      });
      tab.on('response', (response) => {
        if (response.status() >= 400) bad.push(`${response.url()} ${response.status()}`);
      });
      tab.on('pageerror', (error) => bad.push(error.message));
      await tab.goto(page);
      const playhead = (): Promise<number> =>
        tab.evaluate(() => document.querySelector('video')!.currentTime);
      const passes = (seconds: number): Promise<unknown> =>
        tab.waitForFunction((time) => document.querySelector('video')!.currentTime > time, seconds, {
          timeout: 20_000,
        });
      await passes(0);
      await passes((await playhead()) + 3);
      const names = await tab.locator('#channels tr td:first-child').allTextContents();
      expect(names).toEqual(renditions);
      expect(bad).toEqual([]);
      expect([...hosts]).toEqual(['127.0.0.1']);
      expect(asked).toEqual(expect.arrayContaining(['/assets/hls.js', '/live/demo/index.m3u8']));
    } finally {
      await browser.close();
    }
  }

  async function playUntilStopped(meanwhile: (page: string) => Promise<void> = noVisit): Promise<void> {
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
    await meanwhile(page);
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
    await playUntilStopped(visit);
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

  test('a file, its segments behind a CDN: it plays to its end, and the page stays until Ctrl-C', async () => {
    const clip =
      '-v error -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine -t 13 -c:v libx264 -preset ultrafast -c:a aac clip.mp4';
    await promisify(execFile)('ffmpeg', clip.split(' '), { cwd: folder });
    const cdn = await serveStatic({ folder: join(folder, 'published') });
    try {
      const running = await runWith({ HLS_UPLOADER_SEGMENT_URL_PREFIX: cdn.url }, 'clip.mp4');
      await running.waitForLine(/^Input: .*clip\.mp4$/, 60_000);
      const [, playlist = ''] = await running.waitForLine(/playlist: +(http\S+)/, 60_000);
      await running.waitForLine(/The page stays until Ctrl-C/, 60_000);
      for (const name of renditions) {
        const text = await (await fetch(new URL(`${name}.m3u8`, playlist))).text();
        expect(text).toMatch(/#EXT-X-ENDLIST\n$/);
        const urls = text.match(/^[^#\s].*$/gm) ?? [];
        const seconds = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].reduce((sum, [, s]) => sum + Number(s), 0);
        expect(Math.abs(seconds - 13)).toBeLessThan(0.5);
        for (const url of urls) {
          expect(url).toMatch(new RegExp(`^${cdn.url}demo/${name}-[0-9a-f]{32}-\\d+\\.ts$`));
          const body = new Uint8Array(await (await fetch(url)).arrayBuffer());
          expect([body[0], body.length % 188]).toEqual([0x47, 0]);
        }
      }
      expect(running.running).toBe(true);
      running.kill('SIGINT');
      expect(await running.exited).toEqual({ code: 0, signal: null });
    } finally {
      await cdn.close();
    }
  }, 200_000);

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
