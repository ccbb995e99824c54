import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ProtocolError } from './errors.js';
import { encodeMessage, FrameDecoder, MAX_FIRST_LINE_BYTES, MAX_LINE_BYTES } from './framing.js';
import { MAX_ACCEPTED, type Hello, type Segment, type UploaderMessage } from './messages.js';
import { parseSegmenterMessage, parseUploaderMessage } from './parse.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const line = (text: string) => ({ kind: 'line', text });
const session = '0123456789abcdef'.repeat(2);

function thrownBy(action: () => unknown): ProtocolError {
  try {
    action();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('FrameDecoder', () => {
  test('gives lines as they are completed, with LF or CRLF', () => {
    const decoder = new FrameDecoder();
    expect([...decoder.push(bytes('one\r\ntwo\n\nth'))]).toEqual([line('one'), line('two'), line('')]);
    expect([...decoder.push(bytes('r'))]).toEqual([]);
    expect([...decoder.push(bytes('ee\n'))]).toEqual([line('three')]);
    expect(decoder.end()).toEqual({ inside: 'nothing' });
  });

  test('a body follows the line at which it was expected, and is not copied', () => {
    const decoder = new FrameDecoder();
    const chunk = bytes('body\nab\ncnext\n');
    const seen: unknown[] = [];
    for (const event of decoder.push(chunk)) {
      seen.push(event.kind === 'line' ? event.text : event.chunk);
      if (event.kind === 'line' && event.text === 'body') decoder.expectBody(4);
      if (event.kind === 'body') {
        expect(event.last).toBe(true);
        expect(event.chunk.buffer).toBe(chunk.buffer);
      }
    }
    expect(seen).toEqual(['body', bytes('ab\nc'), 'next']);
  });

  test('a body over several chunks says which piece is the last', () => {
    const decoder = new FrameDecoder();
    expect([...decoder.push(bytes('x\n'))]).toEqual([line('x')]);
    decoder.expectBody(5);
    expect([...decoder.push(bytes('abc'))]).toEqual([{ kind: 'body', chunk: bytes('abc'), last: false }]);
    expect(decoder.end()).toEqual({ inside: 'body', missing: 2 });
    expect([...decoder.push(bytes('dey\n'))]).toEqual([
      { kind: 'body', chunk: bytes('de'), last: true },
      line('y'),
    ]);
  });

  test('a loop that is left loses nothing', () => {
    const decoder = new FrameDecoder();
    for (const event of decoder.push(bytes('a\nb\nc\n'))) {
      expect(event).toEqual(line('a'));
      break;
    }
    expect(() => decoder.end()).toThrow('not read');
    expect([...decoder.push(bytes('d\n'))]).toEqual([line('b'), line('c'), line('d')]);
  });

  test('the end inside a line gives the line: a legacy line may end so', () => {
    const decoder = new FrameDecoder();
    expect([...decoder.push(bytes('a, b'))]).toEqual([]);
    expect(decoder.end()).toEqual({ inside: 'line', text: 'a, b' });
  });

  test('the limit is another one from the line on after which it was set', () => {
    const decoder = new FrameDecoder({ maxFirstLineBytes: 8, maxLineBytes: 8 });
    expect([...decoder.push(bytes('hello\n'))]).toEqual([line('hello')]);
    decoder.limitLines(16);
    expect([...decoder.push(bytes('a'.repeat(16)))]).toEqual([]);
    expect(decoder.lineBytes).toBe(16);
    expect([...decoder.push(bytes('\n'))]).toEqual([line('a'.repeat(16))]);
    expect(decoder.lineBytes).toBe(0);
    expect(thrownBy(() => [...decoder.push(bytes('a'.repeat(17)))]).code).toBe('line-too-long');
  });

  test.each([
    ['the first line', 0, 8],
    ['a later line', 1, 16],
  ])('%s may be as long as its limit, and no longer', (_name, linesBefore, limit) => {
    const make = (): FrameDecoder => {
      const decoder = new FrameDecoder({ maxFirstLineBytes: 8, maxLineBytes: 16 });
      for (let i = 0; i < linesBefore; i++) expect([...decoder.push(bytes('x\n'))]).toHaveLength(1);
      return decoder;
    };
    expect([...make().push(bytes(`${'a'.repeat(limit)}\n`))]).toEqual([line('a'.repeat(limit))]);

    const decoder = make();
    expect([...decoder.push(bytes('a'.repeat(limit)))]).toEqual([]);
    // It need not wait for the newline.
    const error = thrownBy(() => [...decoder.push(bytes('a'))]);
    expect(error).toMatchObject({ code: 'line-too-long', fatal: true });
    expect(thrownBy(() => [...decoder.push(bytes('\nx\n'))])).toBe(error);
    expect(thrownBy(() => decoder.end())).toBe(error);
  });

  test('what is not UTF-8 is fatal, also where the connection ends', () => {
    const decoder = new FrameDecoder();
    expect(thrownBy(() => [...decoder.push(Uint8Array.of(0xc3, 0x28, 0x0a))])).toMatchObject({
      code: 'bad-utf8',
      fatal: true,
    });
    const cut = new FrameDecoder();
    expect([...cut.push(Uint8Array.of(0xc3))]).toEqual([]);
    expect(thrownBy(() => cut.end()).code).toBe('bad-utf8');
  });

  test('a character may be cut between chunks', () => {
    const decoder = new FrameDecoder();
    const [first = 0, second = 0] = bytes('ü');
    expect([...decoder.push(Uint8Array.of(first))]).toEqual([]);
    expect([...decoder.push(Uint8Array.of(second, 0x0a))]).toEqual([line('ü')]);
  });

  test('mistakes of the caller throw', () => {
    const decoder = new FrameDecoder();
    expect(() => decoder.expectBody(0)).toThrow(RangeError);
    expect(() => decoder.expectBody(1.5)).toThrow(RangeError);
    decoder.expectBody(3);
    expect(() => decoder.expectBody(3)).toThrow('can only follow a line');
  });

  test('property: whatever the chunks, the same lines and bodies come out', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 300 }).filter((value) => !/[\r\n]/.test(value));
    const part = fc.record({ text, body: fc.uint8Array({ maxLength: 1000, size: 'max' }) });
    const situations = { bodies: 0, cutBodies: 0, cutLines: 0 };
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 9 })), {
          minLength: 1,
        }),
        (parts, cuts) => {
          const stream = Buffer.concat(parts.flatMap(({ text, body }) => [Buffer.from(`${text}\n`), body]));
          const decoder = new FrameDecoder();
          const lines: string[] = [];
          const bodies: Uint8Array[] = [];
          for (let at = 0, cut = 0; at < stream.length; cut++) {
            const size = cuts[cut % cuts.length] ?? stream.length;
            // As sockets do with a buffer of their own: what was pushed is overwritten once the events are read.
            const chunk = Uint8Array.from(stream.subarray(at, at + size));
            at += size;
            let events = 0;
            for (const event of decoder.push(chunk)) {
              events++;
              if (event.kind === 'line') {
                const body = parts[lines.length]?.body ?? new Uint8Array();
                lines.push(event.text);
                bodies.push(new Uint8Array());
                if (body.length > 0) decoder.expectBody(body.length);
              } else {
                const last = bodies.length - 1;
                bodies[last] = Uint8Array.from(
                  Buffer.concat([bodies[last] ?? new Uint8Array(), event.chunk]),
                );
                expect(event.last).toBe(bodies[last].length === parts[last]?.body.length);
                if (event.last) situations.bodies++;
                else situations.cutBodies++;
              }
            }
            chunk.fill(0xff);
            if (events === 0) situations.cutLines++;
          }
          expect(decoder.end()).toEqual({ inside: 'nothing' });
          expect(lines).toEqual(parts.map(({ text }) => text));
          expect(bodies).toEqual(parts.map(({ body }) => Uint8Array.from(body)));
        },
      ),
      { numRuns: 200 },
    );
    process.stdout.write(`framing: ${JSON.stringify(situations)}\n`);
    for (const [situation, times] of Object.entries(situations)) {
      expect([situation, times >= 50]).toEqual([situation, true]);
    }
  });

  test('property: any bytes give events or a fatal error, and hold no more than a line', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const decoder = new FrameDecoder({ maxFirstLineBytes: 64, maxLineBytes: 100 });
        try {
          for (const chunk of chunks) {
            for (const event of decoder.push(chunk)) {
              expect(event.kind === 'line' && event.text.length <= 100).toBe(true);
            }
          }
          decoder.end();
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          expect((error as ProtocolError).fatal).toBe(true);
        }
      }),
    );
  });
});

describe('the longest messages fit into a line', () => {
  const longest = (length: number, character = 'x'): string => character.repeat(length);

  test('hello', () => {
    const hello: Hello = {
      type: 'hello',
      version: 1,
      channel: longest(200),
      rendition: longest(100),
      source: longest(100, '"'),
      session,
      target: 1234.5678901234567,
      token: longest(1000, '"'),
      renditions: Array.from({ length: 100 }, () => longest(100)),
      bandwidth: Number.MAX_SAFE_INTEGER,
      names: {
        bucket: longest(255, '\u0001'),
        index: `${longest(195)}.m3u8`,
        segmentPrefix: longest(100),
        urlPrefix: longest(1000, '\\'),
      },
    };
    const text = encodeMessage(hello);
    expect(parseSegmenterMessage(text)).toEqual(hello);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_FIRST_LINE_BYTES);
  });

  test('segment', () => {
    const largest = Number.MAX_SAFE_INTEGER;
    const segment: Segment = {
      type: 'segment',
      session,
      index: largest,
      path: longest(4096, '\u0001'),
      bytes: largest,
      crc32: 0xffffffff,
      startPts: 2 ** 33 - 1,
      endPts: 2 ** 33 - 1,
      wallClock: '2024-01-01T00:00:00.000Z',
      discontinuity: 'timestamps',
      ended: 'forced',
      independent: false,
      keyPictures: Array.from({ length: 4000 }, () => ({
        offset: largest,
        bytes: largest,
        pts: 2 ** 33 - 1,
      })),
      markers: [],
    };
    const text = encodeMessage(segment);
    expect(parseSegmenterMessage(text)).toEqual(segment);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_LINE_BYTES);
  });

  test('welcome', () => {
    const welcome: UploaderMessage = {
      type: 'welcome',
      version: 1,
      session,
      settled: Number.MAX_SAFE_INTEGER,
      accepted: Array.from({ length: MAX_ACCEPTED }, () => Number.MAX_SAFE_INTEGER),
    };
    const text = encodeMessage(welcome);
    expect(parseUploaderMessage(text)).toEqual(welcome);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_LINE_BYTES);
  });
});
