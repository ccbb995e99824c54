import { describe, expect, test } from '@jest/globals';
import { DatagramReader } from './datagram-reader.js';
import { rtpPacket, transportPacket, transportPackets, type RtpFields } from './rtp.test.helper.js';

class Bench {
  readonly out: number[] = [];
  readonly reader = new DatagramReader((bytes, from, to) => this.out.push(...bytes.subarray(from, to)));

  raw(...ids: number[]): this {
    for (const id of ids) this.bytes(transportPackets(id));
    return this;
  }

  rtp(sequence: number, id: number, fields: RtpFields = {}): this {
    return this.bytes(rtpPacket(transportPackets(id), { sequence, ...fields }));
  }

  bytes(datagram: readonly number[]): this {
    this.reader.take(Uint8Array.from(datagram));
    return this;
  }
}

const packets = (...ids: number[]): number[] => ids.flatMap(transportPackets);

describe('raw packets and RTP are told apart', () => {
  test('raw', () => expect(new Bench().raw(1, 2).out).toEqual(packets(1, 2)));

  test('one raw packet', () => {
    expect(new Bench().bytes(transportPacket(9)).out).toEqual(transportPacket(9));
  });

  test('RTP, with all that a header may have', () => {
    const bench = new Bench().rtp(1, 1).rtp(2, 2, { csrcs: [1], extension: [2], padding: 3 });
    expect(bench.out).toEqual(packets(1, 2));
  });

  test('RTP of a payload type that was agreed on elsewhere', () => {
    expect(new Bench().rtp(1, 1, { payloadType: 96 }).out).toEqual(packets(1));
  });

  test('RTP out of order', () => {
    const bench = new Bench().rtp(1, 1).rtp(3, 3);
    expect(bench.reader.held).toBe(1);
    expect(bench.rtp(2, 2).out).toEqual(packets(1, 2, 3));
    expect(bench.reader.held).toBe(0);
  });

  test('packets scattered over datagrams stay raw, also where one looks like RTP', () => {
    const stream = packets(1, 2, 3, 4);
    const bench = new Bench().bytes(stream.slice(0, 1316)).bytes(stream.slice(1316, 1500));
    const lookalike = rtpPacket(transportPackets(5));
    bench.bytes(lookalike).bytes(stream.slice(1500));
    expect(bench.out).toEqual([...stream.slice(0, 1500), ...lookalike, ...stream.slice(1500)]);
  });

  test('in RTP, what is none is left out and counted; a damaged payload goes through', () => {
    const broken = rtpPacket([0, ...transportPackets(2).slice(1)], { sequence: 2 });
    const report = rtpPacket([1, 2, 3, 4], { payloadType: 72, marker: true });
    const bench = new Bench().rtp(1, 1).bytes(report).bytes([1, 2, 3]).bytes(broken).rtp(3, 3);
    expect(bench.out).toEqual([...packets(1), 0, ...packets(2).slice(1), ...packets(3)]);
    expect(bench.reader.counters).toMatchObject({ foreign: 2, rtp: { received: 3, lost: 0 } });
  });
});

describe('a sender that changes its ways', () => {
  test('is followed from raw to RTP and back, after a few', () => {
    const bench = new Bench().raw(1);
    for (let n = 0; n < 10; n++) bench.rtp(n, 100 + n);
    expect(bench.out.slice(-packets(109).length * 3)).toEqual(packets(107, 108, 109));
    for (let n = 0; n < 10; n++) bench.raw(200 + n);
    expect(bench.out.slice(-packets(209).length * 3)).toEqual(packets(207, 208, 209));
    expect(bench.reader.counters.foreign).toBe(7);
  });

  test('is believed at once after a restart', () => {
    const bench = new Bench().raw(1);
    bench.reader.restart();
    expect(bench.rtp(1, 2).out).toEqual(packets(1, 2));
  });
});
