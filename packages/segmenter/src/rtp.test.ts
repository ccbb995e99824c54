import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { emptyRtpHeader, readRtpHeader } from './rtp.js';
import { rtpPacket, type RtpFields } from './rtp.test.helper.js';

const PAYLOAD = [0x47, 1, 2, 3];

const read = (bytes: readonly number[]): (object & { payload: number[] }) | undefined => {
  const header = emptyRtpHeader();
  if (!readRtpHeader(Uint8Array.from(bytes), header)) return undefined;
  return { ...header, payload: bytes.slice(header.from, header.to) };
};

describe('RFC 3550 §5.1', () => {
  test.each<[string, RtpFields]>([
    ['plain', {}],
    ['marker', { marker: true }],
    ['sequence number at its end', { sequence: 0xffff }],
    ['SSRC with its top bit', { ssrc: 0xfedcba98 }],
    ['contributing sources', { csrcs: [1, 2, 3] }],
    ['all 15 of them', { csrcs: new Array<number>(15).fill(7) }],
    ['an empty extension', { extension: [] }],
    ['an extension', { extension: [1, 2] }],
    ['padding', { padding: 4 }],
    ['all', { csrcs: [9], extension: [5], padding: 1, marker: true, payloadType: 96 }],
  ])('%s', (_what, fields) => {
    expect(read(rtpPacket(PAYLOAD, fields))).toMatchObject({
      payloadType: fields.payloadType ?? 33,
      sequence: fields.sequence ?? 0,
      ssrc: fields.ssrc ?? 1,
      payload: PAYLOAD,
    });
  });

  test('an empty payload', () => expect(read(rtpPacket([]))).toMatchObject({ payload: [] }));

  test.each<[string, number[]]>([
    ['nothing', []],
    ['eleven bytes', rtpPacket([]).slice(0, 11)],
    ['version 1, as a sync byte has', [0x47, ...rtpPacket(PAYLOAD).slice(1)]],
    ['contributing sources that are not there', [0x8f, ...rtpPacket(PAYLOAD).slice(1)]],
    ['an extension that is cut off', rtpPacket([], { extension: [1] }).slice(0, 14)],
    ['an extension longer than the packet', rtpPacket([], { extension: [1, 2] }).slice(0, 20)],
    ['padding of 0', [0xa0, ...rtpPacket([1, 0]).slice(1)]],
    ['more padding than payload', [0xa0, ...rtpPacket([1, 9]).slice(1)]],
  ])('refuses %s', (_what, bytes) => expect(read(bytes)).toBeUndefined());
});

test('any bytes: a payload within them, or none', () => {
  let headers = 0;
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 100, size: 'max' }),
      fc.boolean(),
      (bytes, version2) => {
        if (version2 && bytes.length > 0) bytes[0] = (bytes[0]! & 0x3f) | 0x80;
        const header = emptyRtpHeader();
        if (!readRtpHeader(bytes, header)) return;
        headers++;
        expect(header.from).toBeGreaterThanOrEqual(12);
        expect(header.from).toBeLessThanOrEqual(header.to);
        expect(header.to).toBeLessThanOrEqual(bytes.length);
      },
    ),
    { numRuns: 2000 },
  );
  expect(headers).toBeGreaterThan(50);
});

test('any fields are read as they were written', () => {
  fc.assert(
    fc.property(
      fc.record({
        payloadType: fc.nat(127),
        sequence: fc.nat(0xffff),
        ssrc: fc.nat(0xffffffff),
        csrcs: fc.array(fc.nat(), { maxLength: 15 }),
        extension: fc.option(fc.array(fc.nat(), { maxLength: 20 }), { nil: undefined }),
        padding: fc.nat(255),
      }),
      fc.array(fc.nat(255), { maxLength: 400 }),
      (fields, payload) => {
        const { payloadType, sequence, ssrc } = fields;
        const { extension, ...others } = fields;
        const packet = rtpPacket(payload, { ...others, ...(extension && { extension }) });
        expect(read(packet)).toMatchObject({ payloadType, sequence, ssrc, payload });
      },
    ),
  );
});
