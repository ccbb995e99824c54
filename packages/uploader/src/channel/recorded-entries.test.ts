import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { renderMediaSegment, type MediaSegment } from '@hls-uplink/hls';
import { RecordedEntries } from './recorded-entries.js';

describe('the entries of a long playlist', () => {
  test('property: are those that came, less those that left, as text and in sum', () => {
    const segment = fc.record({
      uri: fc.integer({ min: 0, max: 999_999 }).map((n) => `low-${n}.ts`),
      duration90k: fc.integer({ min: 1, max: 900_000 }),
      stepMs: fc.integer({ min: 3, max: 20_000 }),
      discontinuity: fc.boolean(),
      gap: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 300 }), fc.integer({ min: 0, max: 300 }), (drawn, left) => {
        let dateMs = 0;
        const all = drawn.map(({ stepMs, ...one }) => ({ ...one, programDateTimeMs: (dateMs += stepMs) }));
        const kept: MediaSegment[] = [];
        let entries = RecordedEntries.from(5);
        let sequence = 5;
        all.forEach((one, i) => {
          entries = entries.with(i, one);
          kept.push(one);
          if (i < left && i % 3 > 0) {
            entries = entries.withoutFirst();
            if (kept.shift()!.discontinuity) sequence++;
          }
        });
        expect(entries.texts().join('\n')).toBe(kept.map(renderMediaSegment).join('\n'));
        expect(entries.count).toBe(kept.length);
        expect(entries.duration90k).toBe(kept.reduce((sum, { duration90k }) => sum + duration90k, 0));
        expect(entries.discontinuitySequence).toBe(sequence);
        expect(entries.lastSequence).toBe(
          sequence + kept.filter(({ discontinuity }) => discontinuity).length,
        );
        expect([...entries].map(({ number }) => number)).toEqual(
          kept.map((_, i) => all.length - kept.length + i),
        );
        kept.forEach(({ programDateTimeMs = 0 }, i) => {
          const tags = kept.slice(0, i + 1).filter((one) => one.discontinuity).length;
          const found = { number: all.length - kept.length + i, sequence: sequence + tags };
          expect(entries.dated(programDateTimeMs + 1, 1)).toMatchObject(found);
        });
        expect(entries.dated(-2, 1)).toBeUndefined();
        const length = kept.reduce((sum, one) => sum + renderMediaSegment(one).length + 1, 0);
        expect(entries.length).toBe(length);
      }),
      { numRuns: 100 },
    );
  });
});

test('what is clear behind what is encrypted says so, though the live playlist has nothing of that any more', () => {
  const key = { method: 'AES-128' as const, uri: 'a.key', iv: '0'.repeat(32) };
  const one = { duration90k: 540_000, programDateTimeMs: 0, discontinuity: false, gap: false };
  const text = RecordedEntries.from(0)
    .with(7, { ...one, uri: '7.ts', key })
    .with(8, { ...one, uri: '8.ts', gap: true })
    .with(9, { ...one, uri: '9.ts' })
    .with(10, { ...one, uri: '10.ts' })
    .texts()
    .join('\n');
  expect(text.match(/EXT-X-KEY:METHOD=[A-Z0-9-]+|\d+\.ts/g)).toEqual([
    'EXT-X-KEY:METHOD=AES-128',
    '7.ts',
    '8.ts',
    'EXT-X-KEY:METHOD=NONE',
    '9.ts',
    '10.ts',
  ]);
});
