/** A CDN in front of the segments, the playlists from the store itself: all of the daemon, two HTTP servers. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@hls-uplink/runtime';
import { startDaemon, type Daemon } from './daemon.js';
import { loadTask } from './options.js';
import { bytesOf, Peer, segmentIn, session } from './peer.test.helper.js';

describe('--segment-url-prefix', () => {
  let folder: string;
  let cdn: Server;
  let cdnUrl: string;
  let fetched: string[];
  let daemon: Daemon | undefined;
  let peer: Peer | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segment-url-'));
    fetched = [];
    // Any name below /edge is the store's key.
    cdn = createServer((request, response) => {
      const key = /^\/edge\d?\/(.+)$/.exec(request.url ?? '')?.[1] ?? '';
      fetched.push(key);
      readFile(join(folder, 'published', key)).then(
        (body) => response.end(body),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => cdn.listen(0, '127.0.0.1', resolve));
    cdnUrl = `http://127.0.0.1:${(cdn.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    await stop();
    cdn.closeAllConnections();
    cdn.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<void> {
    const common = [
      ...['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--spool-root', folder],
      ...['--store', `file://${folder}/published`, '--journal', join(folder, 'journal')],
    ];
    const task = await loadTask([...common, ...args], env, '1');
    if (task.kind !== 'run') throw new Error(task.kind);
    daemon = await startDaemon(task.settings, { clock: systemClock, logger: silentLogger, env });
  }

  async function stop(): Promise<void> {
    peer?.end();
    await daemon?.stop();
    daemon = undefined;
  }

  const playlist = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${daemon!.ports.http}/live/${path}`)).text();
  const uris = (text: string): string[] => text.split('\n').filter((line) => line && !line.startsWith('#'));

  /** Announces these and waits until viewers can have them. */
  async function publish(indexes: number[], hello: Parameters<typeof Peer.hello>[1] = {}): Promise<string[]> {
    const channel = hello.channel ?? 'news/berlin';
    peer = await Peer.hello(daemon!.ports.listen, { channel, renditions: ['main'], ...hello });
    const track = {
      kind: 'video' as const,
      pid: 256,
      codec: 'avc1.64001f',
      width: 640,
      height: 360,
      frameRate: 25,
    };
    peer.say({ type: 'tracks', session, index: indexes[0]!, tracks: [track], gop: 180_000 });
    for (const index of indexes) peer.say(await segmentIn(folder, index));
    await peer.has('published', indexes.at(-1));
    return uris(await playlist(`${channel}/main.m3u8`));
  }

  const nameOf = (index: number): string => `main-${session}-${String(index).padStart(6, '0')}.ts`;

  test('segments are listed where viewers find them, and are there', async () => {
    await start(['--segment-url-prefix', `${cdnUrl}/edge`]);
    const listed = await publish([0, 1, 2]);
    expect(listed).toEqual([0, 1, 2].map((index) => `${cdnUrl}/edge/news/berlin/${nameOf(index)}`));
    for (const [index, url] of listed.entries()) {
      const response = await fetch(url);
      expect(Buffer.from(await response.arrayBuffer())).toEqual(bytesOf(index));
    }
    expect(fetched).toEqual([0, 1, 2].map((index) => `news/berlin/${nameOf(index)}`));
    // Of the playlists the store itself is the origin.
    expect(uris(await playlist('news/berlin/index.m3u8'))).toEqual(['main.m3u8']);
  });

  test('another prefix, or none, holds for new entries only', async () => {
    const at = (prefix: string, index: number): string => `${prefix}${nameOf(index)}`;
    const first = `${cdnUrl}/edge/news/berlin/`;
    const second = `${cdnUrl}/edge2/news/berlin/`;
    await start(['--segment-url-prefix', `${cdnUrl}/edge/`]);
    await publish([0, 1]);
    await stop();
    await start([], { HLS_UPLOADER_SEGMENT_URL_PREFIX: `${cdnUrl}/edge2` });
    expect(await publish([2, 3])).toEqual([at(first, 0), at(first, 1), at(second, 2), at(second, 3)]);
    await stop();
    const config = join(folder, 'uploader.yaml');
    await writeFile(config, `segment-url-prefix: ${cdnUrl}/edge2/\n`);
    await start(['--config', config]);
    expect((await publish([4])).slice(-2)).toEqual([at(second, 3), at(second, 4)]);
    await stop();
    await start();
    expect((await publish([5])).slice(-2)).toEqual([at(second, 4), at('', 5)]);
  });

  test('a prefix of the peer goes before it', async () => {
    await start(['--segment-url-prefix', `${cdnUrl}/edge`]);
    const names = { urlPrefix: 'https://own.example/' };
    expect(await publish([0], { names })).toEqual([`https://own.example/${nameOf(0)}`]);
  });

  test('a URL of any length is refused', async () => {
    const url = `https://cdn.example/${'a'.repeat(600)}`;
    await expect(start(['--segment-url-prefix', url])).rejects.toMatchObject({ code: 'bad-option' });
  });

  test.each([
    'cdn.example',
    'ftp://cdn.example/',
    'https://',
    'https://cdn.example/?a=b',
    'https://cdn.example/#a',
    'https://cdn.example/"',
    'https://cdn.example/a b',
  ])('%s is refused', async (url) => {
    await expect(start(['--segment-url-prefix', url])).rejects.toMatchObject({ code: 'bad-option' });
  });
});
