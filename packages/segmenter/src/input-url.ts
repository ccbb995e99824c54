import { isIP } from 'node:net';
import { ConfigError } from '@hls-uplink/runtime';

/** Datagrams to an address of this machine, or to a multicast group. */
export interface UdpInput {
  kind: 'udp';
  /** An IP address without brackets and zone; `0.0.0.0` and `::` mean every address of this machine. */
  host: string;
  /** 0: any free one. */
  port: number;
  isGroup: boolean;
  /** Only datagrams from this address; for a group, source-specific multicast (RFC 4607). */
  sender?: string;
  /** Address or name of the interface that joins the group. */
  interface?: string;
  /** What the kernel is asked for. */
  receiveBufferBytes: number;
  /** Other sockets may have the same port. */
  reuse: boolean;
}

export interface TcpInput {
  kind: 'tcp';
  host: string;
  port: number;
  listens: boolean;
}

export interface HttpInput {
  kind: 'http';
  url: URL;
}

export interface SrtInput {
  kind: 'srt';
  /** As srt-live-transmit takes it. */
  url: string;
  listens: boolean;
}

export type NetworkInput = (UdpInput | TcpInput | HttpInput | SrtInput) & {
  /** For messages: of HTTP and SRT without user, password and query. */
  name: string;
  /** Parameters of other programs that mean nothing here. */
  ignored: string[];
};

/** 6 s at 5 Mbit/s. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
const MOST_BUFFER_BYTES = 1 << 30;

/** Of ffmpeg and VLC, about sending or about their own buffers: whoever copies such a URL means no harm. */
const IGNORED = ['pkt_size', 'fifo_size', 'overrun_nonfatal', 'ttl', 'localport', 'timeout', 'tcp_nodelay'];

const FORMS = 'udp://[@]ADDRESS:PORT, rtp://…, tcp://HOST:PORT[?listen], http(s)://…, srt://HOST:PORT';
const AUTHORITY =
  /^([a-z]+):\/\/(?:(\[[^\]@]*\]|[^@/?[\]]*)@)?(\[[^\]@]+\]|[^:@/?[\]]*)(?::(\d{1,5}))?\/?(?:\?(.*))?$/i;

export const looksLikeUrl = (input: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(input);

/** A URL as it may stand in a log. */
export const withoutSecrets = (url: string): string =>
  url.replace(/\?.*$/s, '?…').replace(/\/\/[^/]+@/, '//…@');

/** As it stands in a URL. */
export const hostPort = (host: string, port: number): string =>
  `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;

/** @throws ConfigError `input-url`, with the form that is expected */
export function parseInputUrl(input: string): NetworkInput {
  const scheme = input.slice(0, input.indexOf(':')).toLowerCase();
  switch (scheme) {
    case 'udp':
    case 'rtp':
      return udpInput(input);
    case 'tcp':
      return tcpInput(input);
    case 'http':
    case 'https':
      return httpInput(input);
    case 'srt':
      return srtInput(input);
    default:
      throw bad(input, `${scheme}:// is not read here`, `${FORMS}; or let ffmpeg read it, and pipe into -`);
  }
}

function udpInput(input: string): NetworkInput {
  const form = 'udp://ADDRESS:PORT, udp://@GROUP:PORT or udp://SENDER@GROUP:PORT, IPv6 addresses in brackets';
  const { user, host, port, query } = authority(input, form);
  const address = host === '' ? '0.0.0.0' : host === 'localhost' ? '127.0.0.1' : host;
  if (isIP(address) === 0) throw bad(input, `${JSON.stringify(host)} is no IP address`, form);
  const parameters = new Parameters(input, query);
  const sender = unbracketed(user) || parameters.take('source', 'sources');
  if (sender !== undefined && isIP(sender) !== isIP(address)) {
    throw bad(input, `the sender ${JSON.stringify(sender)} is no address of the same kind`, form);
  }
  const isGroup = isMulticast(address);
  const over = parameters.take('interface', 'iface', 'localaddr', 'miface');
  if (over !== undefined && !isGroup) {
    throw bad(
      input,
      'an interface can be chosen for a multicast group only',
      'give the address of this machine',
    );
  }
  const buffer = parameters.take('buffer_size', 'buffer-size') ?? String(RECEIVE_BUFFER_BYTES);
  if (!/^[1-9]\d*$/.test(buffer) || Number(buffer) > MOST_BUFFER_BYTES) {
    throw bad(
      input,
      `buffer_size=${buffer} is no number of bytes`,
      `1 to ${MOST_BUFFER_BYTES}, as in ?buffer_size=4194304`,
    );
  }
  const reuse = parameters.flag('reuse') ?? isGroup;
  return {
    kind: 'udp',
    name: input,
    host: address,
    port,
    isGroup,
    receiveBufferBytes: Number(buffer),
    reuse,
    ignored: parameters.rest(),
    ...(sender !== undefined && { sender }),
    ...(over !== undefined && { interface: over }),
  };
}

function tcpInput(input: string): NetworkInput {
  const form = 'tcp://HOST:PORT to connect, tcp://ADDRESS:PORT?listen to be connected to';
  const { user, host, port, query } = authority(input, form);
  if (user !== undefined) throw bad(input, 'there is no user in TCP', form);
  const parameters = new Parameters(input, query);
  const listens = parameters.flag('listen') ?? false;
  if (!listens && host === '') throw bad(input, 'the host is missing', form);
  if (!listens && port === 0) throw bad(input, 'port 0 cannot be connected to', form);
  return {
    kind: 'tcp',
    name: input,
    host: host === '' ? '0.0.0.0' : host,
    port,
    listens,
    ignored: parameters.rest(),
  };
}

function httpInput(input: string): NetworkInput {
  try {
    return { kind: 'http', name: withoutSecrets(input), url: new URL(input), ignored: [] };
  } catch (cause) {
    throw bad(input, 'it is no URL', 'http://HOST[:PORT]/PATH', cause);
  }
}

function srtInput(input: string): NetworkInput {
  const form = 'srt://HOST:PORT to connect, srt://:PORT?mode=listener to be connected to';
  const { host, port, query } = authority(input, form);
  const mode = new URLSearchParams(query).get('mode') ?? (host === '' ? 'listener' : 'caller');
  if (!['caller', 'client', 'listener', 'server', 'rendezvous'].includes(mode)) {
    throw bad(input, `there is no mode ${mode}`, form);
  }
  if (port === 0) throw bad(input, 'the port is missing', form);
  const listens = mode === 'listener' || mode === 'server';
  return { kind: 'srt', name: withoutSecrets(input), url: input, listens, ignored: [] };
}

function authority(
  input: string,
  form: string,
): { user: string | undefined; host: string; port: number; query: string } {
  const [, , user, host, port, query = ''] = AUTHORITY.exec(input) ?? [];
  if (host === undefined) throw bad(input, 'it is no URL of an input', form);
  if (port === undefined) throw bad(input, 'the port is missing', form);
  if (Number(port) > 65535) throw bad(input, `there is no port ${port}`, form);
  return { user: user === '' ? undefined : user, host: unbracketed(host), port: Number(port), query };
}

/** Those of the query, each to be taken once. */
class Parameters {
  readonly #values: URLSearchParams;

  constructor(
    private readonly input: string,
    query: string,
  ) {
    this.#values = new URLSearchParams(query);
  }

  /** The value under any of these names. */
  take(...names: string[]): string | undefined {
    const name = names.find((one) => this.#values.has(one));
    if (name === undefined) return undefined;
    const value = this.#values.get(name)!;
    if (value === '') throw bad(this.input, `${name} is empty`, `${name}=VALUE`);
    this.#values.delete(name);
    return value;
  }

  /** `?listen`, `?listen=1`, `?listen=0`. */
  flag(name: string): boolean | undefined {
    const value = this.#values.get(name);
    if (value === null) return undefined;
    this.#values.delete(name);
    if (!['', '0', '1'].includes(value)) {
      throw bad(this.input, `${name}=${value} is neither 0 nor 1`, `${name} or ${name}=0`);
    }
    return value !== '0';
  }

  /** Harmless ones that were not taken. @throws ConfigError for those that nobody knows */
  rest(): string[] {
    const names = [...this.#values.keys()];
    const unknown = names.find((name) => !IGNORED.includes(name));
    if (unknown !== undefined) {
      throw bad(
        this.input,
        `there is no parameter ${unknown}`,
        'interface, source, buffer_size, reuse (udp and rtp); listen (tcp)',
      );
    }
    return names;
  }
}

/** 224.0.0.0/4 (RFC 5771), ff00::/8 (RFC 4291 §2.7). */
function isMulticast(address: string): boolean {
  if (isIP(address) === 6) return /^ff/i.test(address);
  const first = Number(address.split('.')[0]);
  return first >= 224 && first <= 239;
}

const unbracketed = <T extends string | undefined>(host: T): T => host?.replace(/^\[|\]$/g, '') as T;

const bad = (input: string, problem: string, expected: string, cause?: unknown): ConfigError =>
  new ConfigError(
    'input-url',
    `cannot read ${withoutSecrets(input)}: ${problem}; expected: ${expected}`,
    cause === undefined ? {} : { cause },
  );
