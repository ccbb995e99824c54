import { describe, expect, test } from '@jest/globals';
import { parseMediaPlaylist, type MediaSegment } from '@hls-uplink/hls';
import fc from 'fast-check';
import { Rig } from './testing/rig.js';

const KEY = 'live/low.m3u8';

/** As `ffmpeg -f hls -hls_time 6` leaves it, killed or with `-hls_flags omit_endlist`. */
const FFMPEG = `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:5000
#EXTINF:6.000000,
low5000.ts
#EXTINF:6.000000,
low5001.ts
#EXTINF:5.960000,
low5002.ts
#EXTINF:6.000000,
low5003.ts
#EXTINF:6.000000,
low5004.ts
`;

/** With `-hls_flags program_date_time+discont_start+independent_segments+round_durations`. */
const FFMPEG_DATED = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY
#EXT-X-INDEPENDENT-SEGMENTS
#EXTINF:6,
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:02.067+0000
low0.ts
#EXTINF:6,
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:08.067+0000
low1.ts
#EXTINF:6,
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:14.067+0000
low2.ts
`;

/** With `-hls_key_info_file`. */
const FFMPEG_ENCRYPTED = `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:2
#EXT-X-KEY:METHOD=AES-128,URI="http://k/key",IV=0x00000000000000000000000000000000
#EXTINF:6.000000,
enc2.ts
#EXTINF:6.000000,
enc3.ts
#EXTINF:6.000000,
enc4.ts
`;

/** Tags in Apple's order, a title that is a tabulator, dates now and then. */
const MEDIASTREAMSEGMENTER = `#EXTM3U
#EXT-X-TARGETDURATION:6
#EXT-X-VERSION:3
#EXT-X-MEDIA-SEQUENCE:13
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:12:50Z
#EXTINF:5.97667,\t
fileSequence13.ts
#EXTINF:6.00600,\t
fileSequence14.ts
`;

const PACKAGER = `#EXTM3U
#EXT-X-VERSION:6
## Generated with https://github.com/shaka-project/shaka-packager version v3.2.0-53b8668-release
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:40
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXTINF:6.000,
low_40.ts
#EXT-X-DISCONTINUITY
#EXTINF:6.000,
low_41.ts
`;

const left = (text: string, more: Parameters<typeof Rig.live>[2] = {}): Rig =>
  new Rig([{ key: KEY, text }], more);

/** Our first segments behind it. */
function begun(rig: Rig, segments: number, from = 0): Rig {
  if (from === 0) rig.connect('low', { renditions: ['low'] });
  for (let i = from; i < segments; i++) rig.step(['low'], i);
  return rig;
}

const reopened = ({ texts, at }: Rig, settings: Parameters<typeof Rig.live>[2] = {}): Rig =>
  new Rig(
    [...texts].map(([key, text]) => ({ key, text })),
    settings,
    at,
  );
const textOf = (rig: Rig): string => rig.texts.get(KEY)!;
/** Dates are derived from those of ours. */
const undated = ({ programDateTimeMs: _, ...segment }: MediaSegment): object => segment;
/** From the first entry on. */
const entriesOf = (text: string): string => text.replace(/^[^]*?\n(?=#EXT-X-DISCONTINUITY\n|#EXTINF)/, '');

describe('a playlist that another tool left', () => {
  test('is gone on with under the eyes of its viewers: number, target duration and entries stay', () => {
    const rig = begun(left(FFMPEG), 1);
    expect(textOf(rig)).toContain('#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:5000\n');
    expect(textOf(rig)).toContain(entriesOf(FFMPEG));
    expect(rig.entries('low')).toBe('5000 5001 5002 5003 5004 5005D');
    expect(textOf(rig)).not.toContain('#EXT-X-INDEPENDENT-SEGMENTS');
  });

  test('its entries slide out of the window, are not deleted, and the discontinuity stays', () => {
    const rig = begun(left(FFMPEG), 4);
    expect(rig.entries('low')).toBe('5003 5004 5005D 5006 5007 5008');
    begun(rig, 9, 4);
    expect(rig.entries('low')).toBe('5008 5009 5010 5011 5012 5013');
    expect(rig.playlist('low').discontinuitySequence).toBe(1);
    begun(rig, 40, 9);
    expect(rig.deleted.filter((key) => !/low-[0-9a-f]{32}-/.test(key))).toEqual([]);
    expect(rig.deleted).not.toEqual([]);
  });

  test('survives a restart with an empty disk, while its entries are listed and after', () => {
    let rig = begun(left(FFMPEG), 1);
    for (let i = 1; i < 12; i++) {
      rig = reopened(rig);
      rig.connect('low');
      rig.step(['low'], i);
      expect(rig.playlist('low').entries.map(({ number }) => number)).toEqual(
        Array.from({ length: 6 }, (_, n) => 5000 + i + n),
      );
    }
    expect(rig.playlist('low')).toMatchObject({ discontinuitySequence: 1, targetDuration: 6 });
    expect(rig.entries('low')).not.toMatch(/[DG]/);
  });

  test('that is over is followed by a new life: an empty window, a target duration chosen anew', () => {
    const rig = begun(left(`${FFMPEG.replace('DURATION:6', 'DURATION:9')}#EXT-X-ENDLIST\n`), 2);
    expect(rig.entries('low')).toBe('5005D 5006');
    expect(rig.playlist('low').targetDuration).toBe(6);
  });

  test('dated and with a discontinuity: dates and discontinuity sequence go on', () => {
    const rig = begun(left(FFMPEG_DATED), 1);
    expect(textOf(rig)).toContain(
      '\n#EXT-X-DISCONTINUITY\n#EXTINF:6,\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:02.067+0000\n',
    );
    expect(rig.playlist('low')).toMatchObject({ discontinuitySequence: 0 });
    expect(textOf(rig)).toContain('#EXT-X-INDEPENDENT-SEGMENTS');
    expect(rig.entries('low')).toBe('0D 1 2 3D');
    // Its last one ends at …20.067, which is after the wall clock of our first.
    const dates = [...textOf(rig).matchAll(/DATE-TIME:(.*)/g)].map(([, date]) => Date.parse(date!));
    expect(dates).toEqual([...dates].sort((a, b) => a - b));
    begun(rig, 5, 1);
    expect(rig.entries('low')).toBe('2 3D 4 5 6 7');
    expect(rig.playlist('low').discontinuitySequence).toBe(1);
  });

  test('encrypted: each entry has the key from then on, and what is clear behind them says so', () => {
    const rig = begun(left(FFMPEG_ENCRYPTED), 5);
    expect(rig.entries('low')).toBe('4 5D 6 7 8 9');
    const keys = parseMediaPlaylist(textOf(rig)).segments.map(({ key }) => key?.method);
    expect(keys).toEqual(['AES-128', 'NONE', undefined, undefined, undefined, undefined]);
    const again = reopened(rig);
    again.connect('low');
    begun(again, 6, 5);
    expect(again.entries('low')).toBe('5D 6 7 8 9 10');
  });

  test.each([
    ['mediastreamsegmenter', MEDIASTREAMSEGMENTER, '13 14 15D 16'],
    ['a packager, with a discontinuity sequence', PACKAGER, '40 41D 42D 43'],
  ])('by %s', (_, text, entries) => {
    const rig = begun(left(text), 2);
    expect(rig.state.refusal).toBeUndefined();
    expect(rig.entries('low')).toBe(entries);
    expect(rig.playlist('low').discontinuitySequence).toBe(text === PACKAGER ? 2 : 0);
  });

  test('a long one is cut to the window', () => {
    const entry = (i: number): string => `#EXTINF:6.000000,\nlow${i}.ts\n`;
    const text = FFMPEG + Array.from({ length: 500 }, (_, i) => entry(5005 + i)).join('');
    expect(begun(left(text), 1).entries('low')).toBe('5500 5501 5502 5503 5504 5505D');
  });
});

describe('its target duration', () => {
  const target = (seconds: number): string => FFMPEG.replace('DURATION:6', `DURATION:${seconds}`);

  test('is known before the first segment, so that whoever connects is told', () => {
    const rig = left(target(10));
    expect(rig.state).toMatchObject({ phase: 'starting', targetDuration: 10 });
    expect(begun(rig, 2).playlist('low').targetDuration).toBe(10);
  });

  test('that is too short for the streams holds: what is cut to fit it is listed, the operator told what to do', () => {
    const rig = left(target(4));
    rig.connect('low', { renditions: ['low'] });
    rig.to(6);
    rig.segment('low', 0, 0, 6);
    for (let i = 0; i < 4; i++) {
      rig.to(10 + 4 * i);
      rig.segment('low', 1 + i, 6 + 4 * i, 10 + 4 * i, { ended: 'forced' });
    }
    expect(rig.answers).toContain('low/0 too-long');
    expect(rig.playlist('low').targetDuration).toBe(4);
    expect(rig.entries('low')).toMatch(/ 5005D 5006 5007 5008$/);
    expect(rig.reports.join()).toMatch(/too short for these streams.*--segment-duration/);
  });

  test('holds over --target-duration, which is said', () => {
    const rig = begun(left(target(8), { targetDuration: 10 }), 1);
    expect(rig.playlist('low').targetDuration).toBe(8);
    expect(rig.reports.join()).toMatch(/--target-duration holds from the next life on/);
    rig.happen({ type: 'end-requested' });
    rig.connect('low', { renditions: ['low'] });
    begun(rig, 3, 1);
    expect(rig.playlist('low').targetDuration).toBe(10);
    expect(rig.entries('low')).toBe('5006D 5007');
  });

  test('of renditions that disagree is the longest', () => {
    const rig = new Rig([
      { key: KEY, text: target(6) },
      { key: 'live/mid.m3u8', text: target(7) },
    ]);
    for (const name of ['low', 'mid']) rig.connect(name, { renditions: ['low', 'mid'] });
    for (let i = 0; i < 2; i++) rig.step(['low', 'mid'], i);
    expect(['low', 'mid'].map((name) => rig.playlist(name).targetDuration)).toEqual([7, 7]);
    expect(rig.entries('mid')).toBe(rig.entries('low'));
  });
});

test('renditions whose numbers differ begin behind the highest; where a number is missing the window begins anew', () => {
  const rig = new Rig([
    { key: KEY, text: FFMPEG },
    { key: 'live/mid.m3u8', text: FFMPEG.replace('5000\n', '4999\n') },
  ]);
  for (const name of ['low', 'mid']) rig.connect(name, { renditions: ['low', 'mid'] });
  for (let i = 0; i < 2; i++) rig.step(['low', 'mid'], i);
  expect(rig.entries('low')).toBe('5001 5002 5003 5004 5005D 5006');
  expect(rig.entries('mid')).toBe('5005D 5006');
});

describe('is refused, with the remedy', () => {
  const head = '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:2\n';
  test.each([
    ['fMP4', `${head}#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6.000000,\nf2.m4s\n`, /EXT-X-MAP/],
    ['one file', `${head}#EXTINF:6.000000,\n#EXT-X-BYTERANGE:35720@0\ns.ts\n`, /EXT-X-BYTERANGE/],
    [
      'a key of another kind',
      `${head}#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://1"\n#EXTINF:6.000000,\na.ts\n`,
      /EXT-X-KEY/,
    ],
    ['an event', `${head}#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:6.000000,\ne0.ts\n`, /is EVENT/],
    ['VOD', `${head}#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:6.000000,\ne0.ts\n#EXT-X-ENDLIST\n`, /is VOD/],
    [
      'a senseless target',
      `${head.replace('N:6', 'N:86400')}#EXTINF:6.000000,\na.ts\n`,
      /TARGETDURATION is 86400/,
    ],
    ['no target', `${head.replace('N:6', 'N:0')}#EXTINF:6.000000,\na.ts\n`, /TARGETDURATION is 0/],
    [
      'no room for numbers',
      `${head.replace('E:2', 'E:9007199254740991')}#EXTINF:6,\na.ts\n`,
      /sequence numbers/,
    ],
  ])('%s', (_, text, why) => {
    const rig = begun(left(text), 3);
    expect(rig.state.refusal).toMatch(why);
    expect(rig.state.refusal).toMatch(/^live\/low\.m3u8 .*move it away or choose another channel name$/);
    expect(rig.texts.size).toBe(0);
  });

  test('a media playlist where the multivariant one must stand', () => {
    const rig = begun(new Rig([{ key: 'live/index.m3u8', text: FFMPEG }]), 3);
    expect(rig.state.refusal).toMatch(/^live\/index\.m3u8 .*multivariant.*move it away/);
    expect([rig.texts.size, rig.multivariant]).toEqual([0, '']);
  });
});

test('a multivariant playlist under another name is left alone: viewers come by it, and what it names goes on', () => {
  const master = '#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-STREAM-INF:BANDWIDTH=180400\nlow.m3u8\n';
  const rig = begun(
    new Rig([
      { key: 'live/master.m3u8', text: master },
      { key: KEY, text: FFMPEG },
    ]),
    1,
  );
  expect(rig.state.refusal).toBeUndefined();
  expect(rig.entries('low')).toMatch(/5004 5005D$/);
  expect(rig.reports.join()).toContain(
    'a multivariant playlist of another tool stands here; it is left alone',
  );
  expect([...rig.texts.keys()]).toEqual([KEY]);
});

test('whatever it listed: what viewers see of it only leaves at the head, one number for each', () => {
  const seen = { kept: 0, restarts: 0, tags: 0, keyed: 0 };
  const entry = fc.record({
    ticks: fc.integer({ min: 45_000, max: 540_000 }),
    discontinuity: fc.boolean(),
    key: fc.constantFrom(undefined, undefined, 'NONE', 'URI="k",IV=0x1'),
    title: fc.constantFrom('', 'a title, with a comma'),
  });
  const run = fc.array(fc.constantFrom('step', 'step', 'step', 'restart', 'hold'), {
    minLength: 8,
    maxLength: 20,
  });
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 1, maxLength: 12 }),
      fc.nat(9999),
      fc.nat(99),
      run,
      (list, number, sequence, steps) => {
        const entries = list.map(
          ({ ticks, discontinuity, key, title }, i) =>
            (discontinuity ? '#EXT-X-DISCONTINUITY\n' : '') +
            (key ? `#EXT-X-KEY:METHOD=${key === 'NONE' ? key : `AES-128,${key}`}\n` : '') +
            `#EXTINF:${(ticks / 90_000).toFixed(6)},${title}\n${number + i}.ts\n`,
        );
        const head = `#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:${number}\n#EXT-X-DISCONTINUITY-SEQUENCE:${sequence}\n`;
        let rig = left(head + entries.join(''));
        rig.connect('low', { renditions: ['low'] });
        let before = parseMediaPlaylist(head + entries.join(''));
        let index = 0;
        for (const step of steps) {
          if (step === 'restart' && index > 0) {
            rig = reopened(rig);
            rig.connect('low');
            seen.restarts++;
          }
          rig.store.playlist = () => (step === 'hold' ? 'held' : 'stored');
          rig.step(['low'], index++);
          rig.store.playlist = () => 'stored';
          const version = rig.state.renditions['low']!.inFlight?.version;
          if (version !== undefined)
            rig.happen({ type: 'playlist-failed', view: 'live', rendition: 'low', version });
          const after = parseMediaPlaylist(textOf(rig));
          const removed = after.mediaSequence - before.mediaSequence;
          const gone = before.segments.slice(0, removed);
          expect(removed).toBeGreaterThanOrEqual(0);
          expect(after.segments.slice(0, before.segments.length - removed).map(undated)).toEqual(
            before.segments.slice(removed).map(undated),
          );
          const tags = gone.filter(({ discontinuity }) => discontinuity).length;
          expect(after.discontinuitySequence).toBe(before.discontinuitySequence + tags);
          expect(after.targetDuration).toBe(6);
          const longBefore = before.segments.length >= 6;
          expect(after.segments.length >= (longBefore ? 6 : before.segments.length)).toBe(true);
          seen.tags += tags;
          seen.keyed += gone.filter(({ key }) => key).length;
          if (gone.some(({ uri }) => /^\d+\.ts$/.test(uri)) && removed < before.segments.length) seen.kept++;
          before = after;
        }
        expect(before.segments.at(-1)!.key?.method ?? 'NONE').toBe('NONE');
        expect(before.mediaSequence + before.segments.length).toBe(number + list.length + index);
      },
    ),
    { numRuns: 25 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
});
