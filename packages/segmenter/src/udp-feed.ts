import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { errorCode, errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import { DatagramReader } from './datagram-reader.js';
import { hostPort, type UdpInput } from './input-url.js';
import type { Feed } from './live-source.js';
import { LogLimit } from './log-limit.js';
import { ReceiveBuffer } from './receive-buffer.js';

/** How long a packet is waited for that others have overtaken. */
const REORDER_MS = 100;

export interface FeedOptions {
  clock: Clock;
  logger: Logger;
}

/** A transport stream in datagrams, raw (ISO/IEC 13818-1 packets, usually seven) or in RTP (RFC 2250). */
export class UdpFeed implements Feed {
  readonly listens = true;
  readonly name: string;
  /** Datagrams for which there was no room, since the reader was too slow. */
  dropped = 0;
  readonly #limit: LogLimit;
  readonly #reader: DatagramReader;
  #buffer: ReceiveBuffer;
  #saidBuffer = false;
  /** The same one again after a free one was asked for. */
  #port: number;

  constructor(
    private readonly input: UdpInput & { name: string },
    private readonly options: FeedOptions,
  ) {
    this.name = input.name;
    this.#port = input.port;
    this.#limit = new LogLimit(options.clock);
    this.#buffer = new ReceiveBuffer(options.clock);
    this.#reader = new DatagramReader((datagram, from, to) => {
      if (!this.#buffer.push(datagram, from, to)) this.dropped++;
    });
  }

  /** What RTP's numbers told; all 0 for raw packets. */
  get counters(): DatagramReader['counters'] {
    return this.#reader.counters;
  }

  async *connect(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { clock } = this.options;
    const { host, receiveBufferBytes: recvBufferSize, reuse: reuseAddr, sender } = this.input;
    const buffer = new ReceiveBuffer(clock);
    this.#buffer = buffer;
    this.#reader.restart();
    const end = (): void => buffer.end();
    signal.addEventListener('abort', end, { once: true });
    const socket = createSocket({ type: isIP(host) === 6 ? 'udp6' : 'udp4', reuseAddr, recvBufferSize });
    const patience = new Patience(this.#reader, clock);
    try {
      await this.#listen(socket);
      socket.on('error', (error) => buffer.end(error));
      socket.on('message', (datagram, { address }) => {
        if (sender !== undefined && address !== sender) return;
        this.#reader.take(datagram);
        patience.look();
      });
      for (;;) {
        const chunk = await buffer.next();
        if (!chunk) return;
        this.#sayLosses();
        yield chunk;
      }
    } finally {
      signal.removeEventListener('abort', end);
      patience.stop();
      socket.removeAllListeners('message');
      socket.close();
      this.#sayReceived();
    }
  }

  async #listen(socket: Socket): Promise<void> {
    const { host, isGroup, sender } = this.input;
    const where = hostPort(host, this.#port);
    try {
      const over = this.input.interface && interfaceOf(this.input.interface, isIP(host) === 6);
      socket.bind(
        this.#port,
        isGroup && over !== undefined && /^ff.2/i.test(host) ? `${host}${zone(over)}` : host,
      );
      await once(socket, 'listening');
      if (isGroup && sender !== undefined) socket.addSourceSpecificMembership(sender, host, over);
      else if (isGroup) socket.addMembership(host, over);
    } catch (error) {
      const hint = hints[errorCode(error) ?? ''];
      throw new Error(
        `cannot receive at ${where}: ${errorText(error)}${hint === undefined ? '' : `: ${hint}`}`,
        { cause: error },
      );
    }
    this.#port = socket.address().port;
    this.options.logger.debug('receiving', { input: this.name, port: this.#port });
    this.#checkBuffer(socket);
  }

  #checkBuffer(socket: Socket): void {
    const asked = this.input.receiveBufferBytes;
    // Linux tells twice what it was asked for, since it counts its own structures, too (socket(7)).
    const granted = socket.getRecvBufferSize() / (process.platform === 'linux' ? 2 : 1);
    if (granted >= asked || this.#saidBuffer) return;
    this.#saidBuffer = true;
    this.options.logger.warn(
      `the kernel grants less receive buffer than asked for, bursts may be lost: sysctl -w net.core.rmem_max=${asked}`,
      { input: this.name, grantedBytes: granted, askedBytes: asked },
    );
  }

  #sayReceived(): void {
    const { rtp, foreign } = this.#reader.counters;
    if (rtp.received === 0 && this.dropped === 0) return;
    this.options.logger.info('received', { input: this.name, ...rtp, foreign, noRoom: this.dropped });
  }

  #saidLosses = 0;
  #sayLosses(): void {
    const { rtp, foreign } = this.#reader.counters;
    const losses = rtp.lost + rtp.duplicates + foreign + this.dropped;
    if (losses === this.#saidLosses) return;
    this.#saidLosses = losses;
    this.#limit.say('losses', (fields) =>
      this.options.logger.warn('datagrams were lost, came twice, or were no transport stream', {
        input: this.name,
        ...rtp,
        foreign,
        noRoom: this.dropped,
        ...fields,
      }),
    );
  }
}

/** Gives up an RTP packet that stays away while others wait for it; where few come, the window would never fill. */
class Patience {
  #cancel: (() => void) | undefined;
  #expected = -1;

  constructor(
    private readonly reader: DatagramReader,
    private readonly clock: Clock,
  ) {}

  look(): void {
    if (this.reader.held === 0 || this.#cancel) return;
    this.#expected = this.reader.expected;
    this.#cancel = this.clock.after(REORDER_MS, () => {
      this.#cancel = undefined;
      if (this.reader.expected === this.#expected) this.reader.skip();
      this.look();
    });
  }

  stop(): void {
    this.#cancel?.();
  }
}

const hints: Record<string, string> = {
  EADDRINUSE: 'another program receives there; stop it, or add ?reuse to share a group',
  EADDRNOTAVAIL: 'give an address of this machine, or a multicast group',
  EACCES: 'ports below 1024 need a privilege',
  ENODEV: 'there is no interface for the group: name one with ?interface=',
};

/** As node:dgram wants it: an IPv4 address, or `::%name` (RFC 4007 §11). */
function interfaceOf(text: string, isIpv6: boolean): string {
  const all = networkInterfaces();
  const [name] =
    Object.entries(all).find(
      ([one, addresses]) => one === text || addresses?.some(({ address }) => address === text),
    ) ?? [];
  if (name === undefined) {
    throw new Error(`there is no interface ${text}; there are ${Object.keys(all).join(', ')}`);
  }
  if (isIpv6) return `::%${name}`;
  if (isIP(text) === 4) return text;
  const address = all[name]?.find(({ family }) => family === 'IPv4')?.address;
  if (address === undefined) throw new Error(`the interface ${text} has no IPv4 address`);
  return address;
}

const zone = (over: string): string => (over.includes('%') ? over.slice(over.indexOf('%')) : '');
