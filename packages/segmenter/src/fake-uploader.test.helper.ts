import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  encodeMessage,
  FrameDecoder,
  MAX_LINE_BYTES,
  parseSegmenterMessage,
  PROTOCOL_VERSION,
  type Hello,
  type SegmenterMessage,
  type UploaderMessage,
} from '@hls-uplink/protocol';

/** One connection as the uploader sees it. */
export class FakeConnection {
  readonly messages: SegmenterMessage[] = [];
  /** By index, as far as they came. */
  readonly bodies = new Map<number, Buffer>();
  isClosed = false;
  #inBody = -1;
  readonly #decoder = new FrameDecoder({ maxFirstLineBytes: MAX_LINE_BYTES });

  constructor(
    readonly socket: Socket,
    private readonly onMessage: (message: SegmenterMessage, connection: FakeConnection) => void,
    private readonly onBody: (index: number, bytes: Buffer, connection: FakeConnection) => void,
  ) {
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  get hello(): Hello | undefined {
    return this.messages.find((message) => message.type === 'hello');
  }

  /** What was announced, in order: `segment 3`, `tracks 0`, `leave 5`. */
  get said(): string[] {
    return this.messages.flatMap((message) =>
      'index' in message ? [`${message.type} ${message.index}`] : [],
    );
  }

  send(message: UploaderMessage): void {
    this.socket.write(encodeMessage(message));
  }

  #receive(chunk: Buffer): void {
    for (const event of this.#decoder.push(chunk)) {
      if (event.kind === 'line') {
        const message = parseSegmenterMessage(event.text);
        this.messages.push(message);
        if (message.type === 'body') {
          this.#inBody = message.index;
          this.bodies.set(message.index, Buffer.alloc(0));
          this.#decoder.expectBody(message.bytes);
        }
        this.onMessage(message, this);
      } else {
        const bytes = Buffer.concat([this.bodies.get(this.#inBody) ?? Buffer.alloc(0), event.chunk]);
        this.bodies.set(this.#inBody, bytes);
        this.onBody(this.#inBody, bytes, this);
      }
    }
  }
}

export interface FakeBehaviour {
  /** Default: `welcome` with nothing accepted to a `hello`, `pong` to a `ping`. */
  onMessage?: (message: SegmenterMessage, connection: FakeConnection) => void;
  onBody?: (index: number, bytes: Buffer, connection: FakeConnection) => void;
}

/** Speaks the uploader's side over real sockets on the loopback, and does what a test tells it. */
export class FakeUploader {
  readonly connections: FakeConnection[] = [];
  onMessage: NonNullable<FakeBehaviour['onMessage']>;
  onBody: NonNullable<FakeBehaviour['onBody']>;
  port = 0;
  readonly #server: Server;

  private constructor({ onMessage, onBody }: FakeBehaviour) {
    this.onMessage = onMessage ?? polite;
    this.onBody = onBody ?? (() => undefined);
    this.#server = createServer((socket) => {
      this.connections.push(
        new FakeConnection(
          socket,
          (message, connection) => this.onMessage(message, connection),
          (index, bytes, connection) => this.onBody(index, bytes, connection),
        ),
      );
    });
  }

  static async listen(behaviour: FakeBehaviour = {}): Promise<FakeUploader> {
    const uploader = new FakeUploader(behaviour);
    await new Promise<void>((resolve) => uploader.#server.listen(0, '127.0.0.1', resolve));
    uploader.port = (uploader.#server.address() as AddressInfo).port;
    return uploader;
  }

  get last(): FakeConnection | undefined {
    return this.connections.at(-1);
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

export function welcome(session: string, accepted: number[] = [], settled?: number): UploaderMessage {
  return {
    type: 'welcome',
    version: PROTOCOL_VERSION,
    session,
    accepted,
    ...(settled !== undefined && { settled }),
  };
}

export function polite(message: SegmenterMessage, connection: FakeConnection): void {
  if (message.type === 'hello') connection.send(welcome(message.session));
  if (message.type === 'ping') connection.send({ type: 'pong' });
}

/** A condition that becomes true by what others do; the test's own time limit ends it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
