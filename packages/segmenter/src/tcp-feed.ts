import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { errorCode, errorText } from '@hls-uplink/runtime';
import { hostPort, type TcpInput } from './input-url.js';
import type { Feed } from './live-source.js';
import type { FeedOptions } from './udp-feed.js';

/** A transport stream over TCP, from a peer that we connect to or that connects to us. */
export class TcpFeed implements Feed {
  readonly name: string;
  readonly listens: boolean;
  /** The same one again after a free one was asked for. */
  #port: number;

  constructor(
    private readonly input: TcpInput & { name: string },
    private readonly options: FeedOptions,
  ) {
    this.name = input.name;
    this.listens = input.listens;
    this.#port = input.port;
  }

  async *connect(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const socket = this.listens ? await this.#accept(signal) : await this.#connect(signal);
    if (!socket) return;
    const stop = (): void => void socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    socket.setKeepAlive(true, 10_000);
    const { remoteAddress = '', remotePort = 0 } = socket;
    this.options.logger.info('connected', { input: this.name, peer: hostPort(remoteAddress, remotePort) });
    try {
      // Read no faster than it is taken: TCP holds the sender back.
      for await (const chunk of socket) yield chunk as Uint8Array;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      socket.destroy();
    }
  }

  async #connect(signal: AbortSignal): Promise<Socket | undefined> {
    const { host, port } = this.input;
    const socket = connect({ host, port, noDelay: true });
    try {
      await once(socket, 'connect', { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      if (signal.aborted) return undefined;
      const hint =
        errorCode(error) === 'ECONNREFUSED'
          ? ': nothing listens there; start the sender, or add ?listen'
          : '';
      throw new Error(`cannot connect to ${hostPort(host, port)}: ${errorText(error)}${hint}`, {
        cause: error,
      });
    }
  }

  /** The first peer; while it is there, others are refused. */
  async #accept(signal: AbortSignal): Promise<Socket | undefined> {
    const { host } = this.input;
    const server = createServer();
    try {
      server.listen({ host, port: this.#port, exclusive: true });
      await once(server, 'listening', { signal });
      this.#sayPort(server);
      const [socket] = (await once(server, 'connection', { signal })) as [Socket];
      return socket;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw new Error(`cannot listen at ${hostPort(host, this.#port)}: ${errorText(error)}`, {
        cause: error,
      });
    } finally {
      server.close();
    }
  }

  #sayPort(server: Server): void {
    this.#port = (server.address() as AddressInfo).port;
    this.options.logger.debug('listening', { input: this.name, port: this.#port });
  }
}
