import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { elementaryStream, encode } from './elementary-stream.test.helper.js';
import type { Descriptor, Pmt, PmtStream } from './pmt.js';
import { intraRefreshObstacles, obstaclesOf, type Player } from './playability.js';
import { streamKind, streamLanguage, type Coding } from './stream-type.js';

const stream = (streamType: number, ...descriptors: Descriptor[]): PmtStream => ({
  streamType,
  pid: 0x100,
  descriptors,
});
const descriptor = (tag: number, ...data: number[]): Descriptor => ({ tag, data: Uint8Array.from(data) });
const text = (string: string): number[] => [...Buffer.from(string)];
const registered = (id: string): Descriptor => descriptor(5, ...text(id));
const program = (...descriptors: Descriptor[]): Pmt => ({
  programNumber: 1,
  version: 0,
  pcrPid: 0x100,
  descriptors,
  streams: [],
});
/** metadata_application_format and metadata_format with their identifiers, and service. */
const id3 = descriptor(0x26, 0xff, 0xff, ...text('ID3 '), 0xff, ...text('ID3 '), 0, 0x0f);

describe('what a stream holds', () => {
  test.each<[PmtStream, 'video' | 'audio' | 'other', Coding, string?]>([
    [stream(0x01), 'video', 'mpeg-video'],
    [stream(0x02), 'video', 'mpeg-video'],
    [stream(0x1b), 'video', 'h264'],
    [stream(0x24), 'video', 'hevc'],
    [stream(0x06, registered('HEVC')), 'video', 'hevc'],
    [stream(0x33), 'video', 'other'],
    [stream(0x06, registered('AV01')), 'video', 'other'],
    [stream(0x03), 'audio', 'mpeg-audio'],
    [stream(0x04), 'audio', 'mpeg-audio'],
    [stream(0x0f), 'audio', 'aac'],
    [stream(0x11), 'audio', 'aac-latm'],
    [stream(0x81), 'audio', 'ac-3', 'ac-3'],
    [stream(0x87), 'audio', 'e-ac-3', 'ec-3'],
    [stream(0x06, descriptor(0x6a, 0)), 'audio', 'ac-3', 'ac-3'],
    [stream(0x06, descriptor(0x0a, ...text('deu'), 0), descriptor(0x7a, 0)), 'audio', 'e-ac-3', 'ec-3'],
    [stream(0x06, registered('AC-3')), 'audio', 'ac-3', 'ac-3'],
    [stream(0x81, registered('EAC3')), 'audio', 'e-ac-3', 'ec-3'],
    [stream(0x06, descriptor(0x7f, 0x15, 0)), 'audio', 'ac-4'],
    [stream(0x06, descriptor(0x7b, 0)), 'audio', 'dts', 'dtsc'],
    [stream(0x06, registered('DTS1')), 'audio', 'dts', 'dtsc'],
    [stream(0x82, registered('DTS2')), 'audio', 'dts', 'dtsc'],
    [stream(0x8a), 'audio', 'dts', 'dtsc'],
    [stream(0x85, registered('HDMV')), 'audio', 'dts', 'dtsh'],
    [stream(0x85), 'other', 'other'],
    [stream(0x86), 'other', 'scte-35'],
    [stream(0x06, registered('Opus'), descriptor(0x7f, 0x80, 2)), 'audio', 'opus', 'Opus'],
    [stream(0x06, descriptor(0x7f, 0x80, 2)), 'audio', 'opus', 'Opus'],
    [stream(0x06, registered('BSSD')), 'audio', 'other'],
    [stream(0x15), 'other', 'id3'],
    [stream(0x15, id3), 'other', 'id3'],
    [stream(0x06, id3), 'other', 'id3'],
    [stream(0x06, registered('ID3 ')), 'other', 'id3'],
    [stream(0x15, descriptor(0x26, 1, 0, 0xff, ...text('ID3 '), 0)), 'other', 'id3'],
    [stream(0x15, registered('KLVA'), descriptor(0x26, 1, 0, 0xff, ...text('KLVA'), 0)), 'other', 'klv'],
    [stream(0x15, descriptor(0x26, 1, 0, 0x40)), 'other', 'other'],
    [stream(0x06, registered('KLVA')), 'other', 'klv'],
    [stream(0x86, registered('CUEI')), 'other', 'scte-35'],
    [stream(0x06, descriptor(0x59, ...text('deu'), 0x10, 0, 1, 0, 1)), 'other', 'dvb-subtitles'],
    [stream(0x06, descriptor(0x52, 3), descriptor(0x56, ...text('deu'), 9, 0)), 'other', 'teletext'],
    [stream(0x06), 'other', 'other'],
    [stream(0x05), 'other', 'other'],
    [stream(0x06, registered('DT')), 'other', 'other'],
    [stream(0x06, descriptor(0x7f)), 'other', 'other'],
  ])('%j', (...[entry, kind, coding, codecs]) => {
    expect(streamKind(entry)).toMatchObject({ kind, coding });
    expect(streamKind(entry).codecs).toBe(codecs);
  });

  test.each<[string, PmtStream, Pmt, Coding]>([
    ['SCTE-35 is named once for the whole program', stream(0x86), program(registered('CUEI')), 'scte-35'],
    ['or not at all', stream(0x86), program(), 'scte-35'],
    ['and is DTS-HD on Blu-ray', stream(0x86), program(registered('HDMV')), 'dts'],
    ['the other DTS-HD of Blu-ray', stream(0x85), program(registered('HDMV')), 'dts'],
    ['E-AC-3 as Blu-ray has it', stream(0xa1), program(registered('HDMV')), 'e-ac-3'],
    ['not as others have it', stream(0xa1), program(), 'other'],
    ['AC-3 as ATSC has it', stream(0x81), program(registered('GA94')), 'ac-3'],
  ])('%s', (_, entry, pmt, coding) => {
    expect(streamKind(entry, pmt).coding).toBe(coding);
  });

  test.each<[string, Coding]>([
    ['-f lavfi -i anullsrc=r=48000:cl=stereo -t 0.2 -c:a libopus', 'opus'],
    ['-f lavfi -i anullsrc=r=48000:cl=stereo -t 0.2 -c:a dca -strict -2', 'dts'],
    ['-f lavfi -i anullsrc=r=48000:cl=stereo -t 0.2 -c:a s302m -strict -2', 'other'],
    ['-f lavfi -i anullsrc=r=48000:cl=stereo -t 0.2 -c:a ac3 -mpegts_flags system_b', 'ac-3'],
    ['-f lavfi -i anullsrc=r=48000:cl=stereo -t 0.2 -c:a eac3 -mpegts_flags system_b', 'e-ac-3'],
  ])('as ffmpeg marks it: %s', (make, coding) => {
    expect(streamKind(elementaryStream(encode(make)).stream)).toMatchObject({ kind: 'audio', coding });
  });

  test('any descriptors name a kind, and a codec that the protocol takes (property)', () => {
    const descriptors = fc.array(
      fc.record({
        tag: fc.oneof(fc.constantFrom(5, 0x0a, 0x26, 0x56, 0x59, 0x6a, 0x7f), fc.nat(255)),
        data: fc.uint8Array({ maxLength: 12 }),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(fc.nat(255), descriptors, descriptors, (streamType, own, shared) => {
        const entry = stream(streamType, ...own);
        const { kind, codecs = 'x', name } = streamKind(entry, program(...shared));
        expect(['video', 'audio', 'other']).toContain(kind);
        expect(codecs).toMatch(/^[A-Za-z0-9][A-Za-z0-9.-]*$/);
        expect(name).not.toBe('');
        expect(streamLanguage(entry) ?? 'und').toMatch(/^[a-z]{3}$/);
      }),
    );
  });
});

describe('language', () => {
  test.each<[string, PmtStream, string | undefined]>([
    ['ISO 639', stream(0x0f, descriptor(0x0a, ...text('deu'), 0)), 'deu'],
    ['in capitals', stream(0x0f, descriptor(0x0a, ...text('DEU'), 0)), 'deu'],
    ['the first of two', stream(0x0f, descriptor(0x0a, ...text('deu'), 0, ...text('fra'), 0)), 'deu'],
    ['behind an empty one', stream(0x0f, descriptor(0x0a), descriptor(0x0a, ...text('fra'), 0)), 'fra'],
    ['of subtitles', stream(0x06, descriptor(0x59, ...text('swe'), 0x10, 0, 1, 0, 1)), 'swe'],
    ['of teletext', stream(0x06, descriptor(0x56, ...text('nld'), 9, 0)), 'nld'],
    [
      'ISO 639 before that of teletext',
      stream(0x06, descriptor(0x56, ...text('nld'), 9, 0), descriptor(0x0a, ...text('fin'), 0)),
      'fin',
    ],
    ['three zeros', stream(0x0f, descriptor(0x0a, 0, 0, 0, 0)), undefined],
    ['cut off', stream(0x0f, descriptor(0x0a, 0x64)), undefined],
    ['none', stream(0x0f), undefined],
  ])('%s', (_, entry, language) => {
    expect(streamLanguage(entry)).toBe(language);
  });
});

describe('players', () => {
  test.each<[Coding, string | undefined, Partial<Record<Player, 'never' | 'some-browsers'>>]>([
    ['h264', 'avc1.64001f', {}],
    ['hevc', 'hvc1.1.6.L93.B0', { Apple: 'never', 'hls.js': 'some-browsers' }],
    ['mpeg-video', 'mp4v.61', { Apple: 'never', 'hls.js': 'never' }],
    ['aac', 'mp4a.40.2', {}],
    ['aac-latm', 'mp4a.40.2', { Apple: 'never', 'hls.js': 'never' }],
    ['mpeg-audio', 'mp4a.40.34', {}],
    ['mpeg-audio', 'mp4a.40.33', { 'hls.js': 'some-browsers' }],
    ['mpeg-audio', undefined, {}],
    ['ac-3', 'ac-3', { 'hls.js': 'some-browsers' }],
    ['e-ac-3', 'ec-3', { 'hls.js': 'never' }],
    ['dts', undefined, { Apple: 'never', 'hls.js': 'never' }],
    ['opus', undefined, { Apple: 'never', 'hls.js': 'never' }],
    ['ac-4', undefined, { Apple: 'never', 'hls.js': 'never' }],
    ['id3', undefined, {}],
    ['scte-35', undefined, {}],
  ])('%s %s', (coding, codec, expected) => {
    const obstacles = obstaclesOf(coding, codec);
    expect(Object.fromEntries(obstacles.map(({ player, where }) => [player, where]))).toEqual(expected);
    for (const { reason } of obstacles) expect(reason).not.toBe('');
  });

  test('intra refresh', () => {
    expect(intraRefreshObstacles().map(({ player }) => player)).toEqual(['Apple', 'hls.js']);
  });
});
