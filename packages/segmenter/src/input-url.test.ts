import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '@hls-uplink/runtime';
import { looksLikeUrl, parseInputUrl, withoutSecrets } from './input-url.js';

const udp = (more: object): object => ({
  kind: 'udp',
  isGroup: false,
  reuse: false,
  receiveBufferBytes: 4 << 20,
  ignored: [],
  ...more,
});

describe('what users write', () => {
  test.each<[string, object]>([
    ['udp://127.0.0.1:5000', udp({ host: '127.0.0.1', port: 5000 })],
    ['udp://127.0.0.1:5000/', udp({ host: '127.0.0.1', port: 5000 })],
    ['UDP://localhost:5000', udp({ host: '127.0.0.1', port: 5000 })],
    // VLC
    ['udp://@:1234', udp({ host: '0.0.0.0', port: 1234 })],
    ['udp://:1234', udp({ host: '0.0.0.0', port: 1234 })],
    ['udp://@239.1.1.1:1234', udp({ host: '239.1.1.1', port: 1234, isGroup: true, reuse: true })],
    [
      'udp://192.0.2.7@232.1.1.1:1234',
      udp({ host: '232.1.1.1', port: 1234, isGroup: true, reuse: true, sender: '192.0.2.7' }),
    ],
    [
      'udp://[2001:db8::7]@[ff35::1]:1234?iface=eth1',
      udp({
        host: 'ff35::1',
        port: 1234,
        isGroup: true,
        reuse: true,
        sender: '2001:db8::7',
        interface: 'eth1',
      }),
    ],
    ['rtp://[::]:5004', udp({ host: '::', port: 5004 })],
    // ffmpeg
    [
      'rtp://239.1.1.1:5004?localaddr=192.0.2.1&sources=192.0.2.7&buffer_size=65536&reuse=0',
      udp({
        host: '239.1.1.1',
        port: 5004,
        isGroup: true,
        interface: '192.0.2.1',
        sender: '192.0.2.7',
        receiveBufferBytes: 65536,
      }),
    ],
    [
      'udp://127.0.0.1:5000?fifo_size=1000000&overrun_nonfatal=1&pkt_size=1316',
      udp({ host: '127.0.0.1', port: 5000, ignored: ['fifo_size', 'overrun_nonfatal', 'pkt_size'] }),
    ],
    ['udp://127.0.0.1:5000?reuse', udp({ host: '127.0.0.1', port: 5000, reuse: true })],
    ['tcp://encoder.example:5000', { kind: 'tcp', host: 'encoder.example', port: 5000, listens: false }],
    ['tcp://[::1]:5000?listen', { kind: 'tcp', host: '::1', port: 5000, listens: true }],
    ['tcp://:5000?listen=1', { kind: 'tcp', host: '0.0.0.0', port: 5000, listens: true }],
    ['tcp://host:5000?listen=0', { kind: 'tcp', host: 'host', port: 5000, listens: false }],
    ['srt://host:9000?passphrase=secret', { kind: 'srt', listens: false }],
    ['srt://:9000', { kind: 'srt', listens: true }],
    ['srt://:9000?mode=listener&latency=200', { kind: 'srt', listens: true }],
    ['https://user:secret@host/live.ts?token=secret', { kind: 'http', name: 'https://…@host/live.ts?…' }],
  ])('%s', (input, expected) => {
    expect(looksLikeUrl(input)).toBe(true);
    const parsed = parseInputUrl(input);
    expect(parsed).toMatchObject(expected);
    expect(parsed.name).not.toContain('secret');
  });
});

describe('mistakes', () => {
  test.each([
    ['udp://239.1.1.1', /port is missing/],
    ['udp://239.1.1.1:70000', /no port 70000/],
    ['udp://host.example:5000', /"host\.example" is no IP address; expected: udp:\/\/ADDRESS:PORT/],
    ['udp://ff15::1:5000', /no URL of an input; expected: .*brackets/],
    ['udp://someone@239.1.1.1:5000', /the sender "someone" is no address/],
    ['udp://[::1]@239.1.1.1:5000', /no address of the same kind/],
    ['udp://127.0.0.1:5000?interface=lo', /multicast group only/],
    ['udp://@239.1.1.1:5000?interface=', /interface is empty/],
    ['udp://@239.1.1.1:5000?buffer_size=lots', /buffer_size=lots is no number of bytes/],
    ['udp://@239.1.1.1:5000?interfcae=lo', /no parameter interfcae; expected: interface, source/],
    ['udp://@239.1.1.1:5000?reuse=maybe', /neither 0 nor 1/],
    ['tcp://:5000', /host is missing/],
    ['tcp://host:0', /port 0/],
    ['tcp://me@host:5000', /no user/],
    ['tcp://host', /port is missing; expected: .*\?listen/],
    ['srt://host', /port is missing/],
    ['srt://host:9000?mode=sender', /no mode sender/],
    ['http://', /no URL/],
    ['rtsp://host/live', /rtsp:\/\/ is not read here; expected: udp:.*ffmpeg/],
  ])('%s', (input, message) => {
    expect(() => parseInputUrl(input)).toThrow(ConfigError);
    expect(() => parseInputUrl(input)).toThrow(message);
  });

  test('are told without passwords', () => {
    expect(() => parseInputUrl('rtmp://me:secret@host/x?key=secret')).toThrow(/rtmp:\/\/…@host\/x\?…/);
    expect(withoutSecrets('http://a:p@ss@host/')).toBe('http://…@host/');
  });
});

test.each(['in.ts', '-', '/a://b', 'C:\\x.ts', './udp:'])('%s is a path', (input) => {
  expect(looksLikeUrl(input)).toBe(false);
});
