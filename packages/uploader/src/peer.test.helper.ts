import { connect, type Socket } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Hello, Segment, SegmenterMessage, UploaderMessage } from '@hls-uplink/protocol';
import { until } from './until.test.helper.js';

export const session = 'a'.repeat(32);

export function helloOf(changes: Partial<Hello> = {}): Hello {
  return {
    type: 'hello',
    version: 1,
    channel: 'live',
    rendition: 'main',
    source: 'one',
    session,
    target: 6,
    ...changes,
  };
}

/** Whole packets of nothing in particular. */
export function bytesOf(index: number, packets = 100): Buffer {
  return Buffer.alloc(packets * 188, `segment ${index} `);
}

/** The announcement of a file that is written to `folder`. */
export async function segmentIn(
  folder: string,
  index: number,
  changes: Partial<Segment> = {},
): Promise<Segment> {
  const path = join(folder, `${index}.ts`);
  await writeFile(path, bytesOf(index));
  return { ...segmentOf(index), path, ...changes };
}

/** The announcement of a file on another machine. */
export function segmentOf(index: number): Segment {
  const bytes = bytesOf(index);
  return {
    type: 'segment',
    session,
    index,
    path: `/another/machine/${index}.ts`,
    bytes: bytes.length,
    crc32: crc32(bytes),
    startPts: index * 540_000,
    endPts: (index + 1) * 540_000,
    wallClock: '2026-11-22T10:00:00.000Z',
    ended: 'cut',
    independent: true,
    keyPictures: [],
    markers: [],
  };
}

/** A raw connection to the uploader. */
export class Peer {
  readonly messages: UploaderMessage[] = [];
  closed = false;
  #text = '';

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const lines = (this.#text + chunk).split('\n');
      this.#text = lines.pop() ?? '';
      this.messages.push(...lines.map((line) => JSON.parse(line) as UploaderMessage));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async connect(port: number): Promise<Peer> {
    const socket = connect({ port, host: '127.0.0.1' });
    await new Promise((resolve) => socket.once('connect', resolve));
    return new Peer(socket);
  }

  /** Connected and welcome. */
  static async hello(port: number, changes: Partial<Hello> = {}): Promise<Peer> {
    const peer = await Peer.connect(port);
    peer.say(helloOf(changes));
    await peer.has('welcome');
    return peer;
  }

  say(message: SegmenterMessage): void {
    this.write(`${JSON.stringify(message)}\n`);
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** All messages of this type, about this index. */
  of<Type extends UploaderMessage['type']>(
    type: Type,
    index?: number,
  ): Extract<UploaderMessage, { type: Type }>[] {
    return this.messages.filter(
      (message): message is Extract<UploaderMessage, { type: Type }> =>
        message.type === type && (index === undefined || ('index' in message && message.index === index)),
    );
  }

  async has<Type extends UploaderMessage['type']>(
    type: Type,
    index?: number,
  ): Promise<Extract<UploaderMessage, { type: Type }>> {
    await until(
      `${type} ${index ?? ''} among ${this.messages.map((one) => one.type).join(' ')}`,
      () => this.of(type, index).length > 0,
    );
    const [found] = this.of(type, index);
    if (!found) throw new Error('gone');
    return found;
  }

  async isClosed(): Promise<void> {
    await until('the connection to be closed', () => this.closed);
  }

  end(): void {
    this.socket.destroy();
  }
}
