/** What a peer may send, to the uploader as a process: DESIGN.md, "Rules that are never broken", 10 to 12. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { UPLOADER } from './helpers/live.js';
import { freePort, start, until, type StartedProcess } from './helpers/processes.js';

const secret = Buffer.alloc(188 * 10, 'what nobody may read ');
const WAIT = { timeoutMs: 10_000, intervalMs: 20 };
/** More than all that is waited for: else a failure would not say what. */
const MOST_MS = 60_000;

interface Message {
  type: string;
  index?: number;
}

/** A raw connection. */
class Peer {
  readonly messages: Message[] = [];
  isClosed = false;
  #text = '';

  constructor(
    readonly socket: Socket,
    readonly session: string,
  ) {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const lines = (this.#text + chunk).split('\n');
      this.#text = lines.pop()!;
      this.messages.push(...lines.map((line) => JSON.parse(line) as Message));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.isClosed = true));
  }

  say(message: object): void {
    this.socket.write(`${JSON.stringify({ session: this.session, ...message })}\n`);
  }

  segment(index: number, path: string, changes: object = {}): void {
    this.say({
      type: 'segment',
      index,
      path,
      bytes: secret.length,
      crc32: crc32(secret),
      startPts: 540_000 * index,
      endPts: 540_000 * (index + 1),
      wallClock: '2026-01-01T00:00:00.000Z',
      ended: 'cut',
      independent: true,
      keyPictures: [],
      markers: [],
      ...changes,
    });
  }

  /** The first message of one of these types. */
  async first(...types: string[]): Promise<Message> {
    const found = (): Message | undefined => this.messages.find(({ type }) => types.includes(type));
    await until(() => found() !== undefined || this.isClosed, { ...WAIT, what: types.join(' or ') });
    return found() ?? { type: 'nothing: the connection was closed' };
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, { ...WAIT, what: 'the end of the connection' });
  }
}

describe('a hostile peer', () => {
  let folder: string;
  let root: string;
  let port: number;
  let uploader: StartedProcess;
  let peers: Peer[];

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'hls-hostile-')));
    root = join(folder, 'spool');
    await mkdir(root);
    await mkdir(join(folder, 'outside'));
    await writeFile(join(folder, 'outside/secret.ts'), secret);
    port = await freePort();
    peers = [];
    uploader = await start(
      process.execPath,
      [
        UPLOADER,
        ...['--listen', `127.0.0.1:${port}`, '--http', `127.0.0.1:${await freePort()}`],
        ...['--store', `file://${folder}/www`, '--journal', join(folder, 'journal'), '--spool-root', root],
      ],
      { name: 'uploader' },
    );
    await uploader.waitForLine(/"message":"ready"/, 20_000);
  });

  afterEach(async () => {
    for (const { socket } of peers) socket.destroy();
    await uploader.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function newPeer(): Promise<Peer> {
    const socket = connect({ host: '127.0.0.1', port });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const peer = new Peer(socket, (peers.length + 1).toString(16).padStart(32, '0'));
    peers.push(peer);
    return peer;
  }

  async function welcome(): Promise<Peer> {
    const peer = await newPeer();
    const rendition = `r${peers.length}`;
    peer.say({ type: 'hello', version: 1, channel: 'live', rendition, source: 'test', target: 6 });
    expect(await peer.first('welcome', 'refused')).toMatchObject({ type: 'welcome' });
    return peer;
  }

  test(
    'rule 10: no file outside the spool roots is read, whatever its path looks like',
    async () => {
      await writeFile(join(root, 'own.ts'), secret);
      await symlink(join(folder, 'outside/secret.ts'), join(root, 'link.ts'));
      await symlink(join(folder, 'outside'), join(root, 'folder'));
      expect(spawnSync('mkfifo', [join(root, 'fifo.ts')]).status).toBe(0);
      const outcomes = new Map<string, string>();
      const paths = [
        `${root}/own.ts`,
        `${folder}/outside/secret.ts`,
        `${root}/../outside/secret.ts`,
        `${root}/link.ts`,
        `${root}/folder/secret.ts`,
        `${root}/fifo.ts`,
        `/proc/self/root${folder}/outside/secret.ts`,
      ];
      for (const path of paths) {
        const peer = await welcome();
        peer.segment(0, path);
        outcomes.set(
          path.replace(folder, ''),
          (await peer.first('send', 'accepted', 'rejected', 'dropped')).type,
        );
      }
      expect([...outcomes].map(([path, said]) => `${said} ${path}`)).toEqual(
        paths.map((path) => `${path.endsWith('own.ts') ? 'accepted' : 'send'} ${path.replace(folder, '')}`),
      );
    },
    MOST_MS,
  );

  test(
    'rule 11: a line without end is refused before it fills the memory',
    async () => {
      const stranger = await newPeer();
      stranger.socket.write('x'.repeat(200_000));
      expect(await stranger.first('refused')).toMatchObject({ type: 'refused' });
      await stranger.closed();
      const known = await welcome();
      known.socket.write('x'.repeat(3_000_000));
      expect(await known.first('refused')).toMatchObject({ type: 'refused' });
      await known.closed();
      await welcome();
    },
    MOST_MS,
  );

  test(
    'rule 12: a message that makes no sense costs that message and nothing else',
    async () => {
      await writeFile(join(root, 'own.ts'), secret);
      const other = await welcome();
      const peer = await welcome();
      peer.segment(0, `${root}/own.ts`, { bytes: 'many' });
      expect(await peer.first('rejected', 'refused')).toMatchObject({ type: 'rejected', index: 0 });
      peer.segment(1, `${root}/own.ts`);
      expect(await peer.first('accepted', 'refused')).toMatchObject({ type: 'accepted', index: 1 });
      other.segment(0, `${root}/own.ts`);
      expect(await other.first('accepted', 'refused')).toMatchObject({ type: 'accepted', index: 0 });
      expect(uploader.running).toBe(true);
    },
    MOST_MS,
  );
});
