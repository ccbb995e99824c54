/** A TCP proxy between segmenters and an uploader that records every protocol line of both, and can cut in. */
import { existsSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** As it stood on the wire; nothing of it is checked but that it is JSON. */
export interface Message {
  type: string;
  session?: string;
  index?: number;
  [field: string]: unknown;
}

export interface Said {
  /** Which connection, counted from 0 in order of their beginning. */
  connection: number;
  from: 'segmenter' | 'uploader';
  message: Message;
  /** Whether it was handed on to the other side. */
  delivered: boolean;
  /** Of a `body`: how many of its bytes were handed on. */
  bodyBytes: number;
  /** Announced segments without a delivered answer whose file was gone before this was handed on. */
  missingFiles: string[];
}

/** What becomes of a message: handed on, or not and the connection is cut; a body may be cut within. */
export type Verdict = 'deliver' | 'cut' | { cutBodyAfter: number };

export interface RecordingProxy {
  readonly port: number;
  /** All connections, in order of arrival here. */
  readonly record: readonly Said[];
  /** Decides on the first message from now on that matches; resolves with it when that is done. */
  next(matches: (said: Said) => boolean, decide: (said: Said) => Verdict): Promise<Said>;
  close(): Promise<void>;
}

const FINAL = new Set(['published', 'dropped', 'rejected']);
export const isFinal = ({ type }: Message): boolean => FINAL.has(type);
export const idOf = ({ session, index }: Message): string => `${session} ${index}`;

export async function recordingProxy(target: () => number): Promise<RecordingProxy> {
  const recorder = new Recorder();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port: target(), allowHalfOpen: true, noDelay: true });
    const both = [near, far];
    const cut = (): void => both.forEach((socket) => socket.destroy());
    const connection = recorder.connections++;
    join(near, far, new Lines(recorder, { connection, from: 'segmenter' }, (data) => far.write(data), cut));
    join(far, near, new Lines(recorder, { connection, from: 'uploader' }, (data) => near.write(data), cut));
    for (const socket of both) {
      sockets.add(socket);
      // A process that was killed resets its connections.
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    record: recorder.record,
    next: (matches, decide) =>
      new Promise((resolve) => {
        recorder.hooks.push({ matches, decide, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function join(from: Socket, to: Socket, lines: Lines): void {
  from.on('data', (chunk) => lines.push(chunk));
  from.on('end', () => to.end());
}

interface Hook {
  matches: (said: Said) => boolean;
  decide: (said: Said) => Verdict;
  resolve: (said: Said) => void;
}

class Recorder {
  readonly record: Said[] = [];
  readonly hooks: Hook[] = [];
  connections = 0;
  /** Files of announced segments without a delivered answer, by id. */
  readonly #files = new Map<string, string>();

  take(said: Said): Verdict {
    this.record.push(said);
    const { message } = said;
    if (said.from === 'segmenter' && message.type === 'segment') {
      this.#files.set(idOf(message), String(message['path']));
    }
    if (said.from === 'uploader') said.missingFiles = this.#missing();
    const at = this.hooks.findIndex(({ matches }) => matches(said));
    const [hook] = at < 0 ? [] : this.hooks.splice(at, 1);
    const verdict = hook?.decide(said) ?? 'deliver';
    said.delivered = verdict !== 'cut';
    if (said.from === 'uploader' && said.delivered) this.#answered(message);
    hook?.resolve(said);
    return verdict;
  }

  #missing(): string[] {
    return [...this.#files.values()].filter((path) => !existsSync(path));
  }

  #answered(message: Message): void {
    if (isFinal(message)) this.#files.delete(idOf(message));
    if (message.type !== 'welcome' || message['settled'] === undefined) return;
    for (let index = Number(message['settled']); index >= 0; index--) {
      this.#files.delete(idOf({ ...message, index }));
    }
  }
}

/** One direction of one connection: lines, and raw bytes after a `body`. */
class Lines {
  #line = Buffer.alloc(0);
  #rawBytes = 0;
  #body: Said | undefined;
  #cutAfter = Infinity;
  #isCut = false;

  constructor(
    private readonly recorder: Recorder,
    private readonly about: Pick<Said, 'connection' | 'from'>,
    private readonly write: (data: Buffer) => void,
    private readonly cutAll: () => void,
  ) {}

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && !this.#isCut) {
      rest = this.#rawBytes > 0 ? this.#raw(rest) : this.#text(rest);
    }
  }

  #raw(chunk: Buffer): Buffer {
    const body = this.#body!;
    const allowed = Math.min(chunk.length, this.#rawBytes, this.#cutAfter - body.bodyBytes);
    this.write(chunk.subarray(0, allowed));
    body.bodyBytes += allowed;
    this.#rawBytes -= allowed;
    if (body.bodyBytes >= this.#cutAfter) this.#cut();
    return chunk.subarray(allowed);
  }

  #text(chunk: Buffer): Buffer {
    const end = chunk.indexOf('\n');
    this.#line = Buffer.concat([this.#line, end < 0 ? chunk : chunk.subarray(0, end + 1)]);
    if (end < 0) return Buffer.alloc(0);
    const line = this.#line;
    this.#line = Buffer.alloc(0);
    const message = JSON.parse(line.toString('utf8')) as Message;
    const said: Said = { ...this.about, message, delivered: false, bodyBytes: 0, missingFiles: [] };
    const verdict = this.recorder.take(said);
    if (verdict === 'cut') {
      this.#cut();
      return chunk;
    }
    if (message.type === 'body') {
      this.#body = said;
      this.#rawBytes = Number(message['bytes']);
      this.#cutAfter = typeof verdict === 'object' ? verdict.cutBodyAfter : Infinity;
    }
    this.write(line);
    return chunk.subarray(end + 1);
  }

  #cut(): void {
    this.#isCut = true;
    this.cutAll();
  }
}
