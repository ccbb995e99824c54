import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ProtocolError } from './errors.js';
import {
  encodeLegacyLine,
  isLegacyLine,
  legacySegmentPath,
  parseLegacyLine,
  type LegacyLine,
} from './legacy.js';

const text =
  'stream-128k.m3u8, ./spool/, 10, sample_128k, http://cdn/stream0001/, 1, 3, 0, bucket, stream0001';

const parsed: LegacyLine = {
  index: 'stream-128k.m3u8',
  outputDirectory: './spool/',
  segmentDuration: 10,
  outputPrefix: 'sample_128k',
  httpPrefix: 'http://cdn/stream0001/',
  firstSegment: 1,
  lastSegment: 3,
  end: false,
  bucketName: 'bucket',
  keyPrefix: 'stream0001',
};

/** The sample with one of its ten fields changed. */
const withField = (at: number, value: string): string => text.split(', ').with(at, value).join(', ');

describe('the legacy line', () => {
  test('has ten fields', () => {
    expect(parseLegacyLine(text)).toEqual(parsed);
    expect(parseLegacyLine(text.replaceAll(', ', ','))).toEqual(parsed);
    expect(parseLegacyLine(`  ${text.replaceAll(', ', ' ,  ')} \r`)).toEqual(parsed);
    expect(parseLegacyLine(withField(7, '1')).end).toBe(true);
    expect(parseLegacyLine(withField(4, '')).httpPrefix).toBe('');
    expect(parseLegacyLine(withField(2, '9.6')).segmentDuration).toBe(9.6);
  });

  test('names the file of its last segment', () => {
    expect(legacySegmentPath(parsed)).toBe('./spool/sample_128k-00003.ts');
    expect(legacySegmentPath({ ...parsed, outputDirectory: '/a', lastSegment: 123456 })).toBe(
      '/a/sample_128k-123456.ts',
    );
  });

  test.each([
    [text, true],
    [text.replaceAll(' ', ''), true],
    ['a,b,c,d,e,f,g,h,i,j', true],
    ['{"type":"hello","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}', false],
    [`${text}, x`, false],
    ['a,b', false],
    ['', false],
  ])('isLegacyLine %j', (line, expected) => {
    expect(isLegacyLine(line)).toBe(expected);
  });

  test.each([
    [0, 'index', '../x.m3u8'],
    [0, 'index', 'x.m3u'],
    [0, 'index', ''],
    [1, 'output_directory', ''],
    [1, 'output_directory', 'a\u0000b'],
    [2, 'segment_duration', '0'],
    [2, 'segment_duration', '-1'],
    [2, 'segment_duration', '4000'],
    [2, 'segment_duration', '1e1'],
    [2, 'segment_duration', 'NaN'],
    [3, 'output_prefix', '../x'],
    [3, 'output_prefix', ''],
    [4, 'http_prefix', 'http://x/"'],
    [4, 'http_prefix', 'http://x y/'],
    [5, 'first_segment', '-1'],
    [5, 'first_segment', ''],
    [6, 'last_segment', '4294967296'],
    [6, 'last_segment', '0x10'],
    [6, 'last_segment', '0'],
    [7, 'end', '2'],
    [7, 'end', ''],
    [8, 'bucket_name', ''],
    [8, 'bucket_name', 'a/b'],
    [9, 'key_prefix', ''],
    [9, 'key_prefix', '../x'],
  ])('field %i, %s, cannot be %j', (at, name, value) => {
    let error: unknown;
    try {
      parseLegacyLine(withField(at, value));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ code: 'bad-legacy-line', fatal: false });
    expect((error as Error).message).toContain(name);
  });

  test('says how many fields there are when they are not ten', () => {
    expect(() => parseLegacyLine('a, b')).toThrow('2 fields instead of the ten');
  });

  test('property: what is written is read back, whatever the spaces', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$/);
    const line: fc.Arbitrary<LegacyLine> = fc
      .record({
        index: name.map((value) => `${value}.m3u8`),
        outputDirectory: fc
          .string({ minLength: 1, maxLength: 50 })
          // eslint-disable-next-line no-control-regex -- what the line cannot hold
          .filter((value) => value === value.trim() && value !== '' && !/[,\x00-\x1f\x7f]/.test(value)),
        segmentDuration: fc.integer({ min: 1, max: 3_600_000 }).map((ms) => ms / 1000),
        outputPrefix: name,
        httpPrefix: fc.webUrl().filter((url) => !/[,"]/.test(url)),
        firstSegment: fc.nat(0xffff_ffff),
        more: fc.nat(100),
        end: fc.boolean(),
        bucketName: name,
        keyPrefix: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
      })
      .map(({ more, ...fields }) => ({
        ...fields,
        lastSegment: Math.min(0xffff_ffff, fields.firstSegment + more),
      }));
    fc.assert(
      fc.property(line, fc.constantFrom(',', ' , ', ',  '), (value, comma) => {
        const written = encodeLegacyLine(value);
        expect(written.endsWith('\n')).toBe(true);
        const spaced = written.slice(0, -1).split(', ').join(comma);
        expect(isLegacyLine(spaced)).toBe(true);
        expect(parseLegacyLine(spaced)).toEqual(value);
      }),
    );
  });

  test('property: any line is a legacy line or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 12 }), fc.nat(9), fc.string(), (any, at, value) => {
        for (const line of [any.join(','), withField(at, value)]) {
          try {
            expect(parseLegacyLine(line).lastSegment).toBeGreaterThanOrEqual(0);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        }
      }),
    );
  });
});
