import { describe, expect, test } from '@jest/globals';
import type { Resource, State } from './fixtures/recording.js';
import { epochAt, publishMs, segmentCount, session, target, type Faults } from './fixtures/session.js';
import { afterEnd, rules, version, view } from './fixtures/viewing.js';

const on =
  <T>(at: number, fault: T) =>
  (_: unknown, i: number): T | Record<string, never> =>
    i === at ? fault : {};

const from = (first: number, change: (text: string) => string) => (text: string, i: number) =>
  i >= first ? change(text) : text;

/** What `mid` shows for 400 ms instead of its version 9. */
const flash = (change: (text: string) => string): State[] => [
  { atMs: publishMs(9) + 500, resources: { 'mid.m3u8': version(9, 'mid', change) } },
  { atMs: publishMs(9) + 900, resources: { 'mid.m3u8': version(9, 'mid') } },
];

const breakSegment =
  (at: number, change: (resource: Resource) => Resource | undefined) =>
  (resource: Resource, path: string, i: number): Resource | undefined =>
    i === at && path.startsWith('mid-') ? change(resource) : resource;

const withHigh =
  (name: string, change: (text: string) => string) => (text: string, _: number, rendition: string) =>
    rendition === name ? change(text) : text;

const stallMs = (i: number): number => publishMs(i) + (i > 7 ? 3_500 : 0);

/** Every rule that the watcher checks, each broken once. */
const faults: [number[], string, Faults][] = [
  [
    [1],
    'EXTINF rounds above the target',
    { seconds: (i) => (i === 8 ? 2.6 : 2), publishedAtMs: (i) => publishMs(i) + (i > 8 ? 600 : 0) },
  ],
  [[2], 'the target duration changes', { playlist: from(9, (t) => t.replace('DURATION:2', 'DURATION:3')) }],
  [
    [2],
    'one variant has another target',
    { playlist: withHigh('high', (t) => t.replace('DURATION:2', 'DURATION:3')) },
  ],
  [[3], 'a segment is missing when listed', { resource: breakSegment(8, () => undefined) }],
  [[3], 'a segment is cut short', { resource: breakSegment(8, (r) => ({ ...r, truncated: true })) }],
  [
    [3],
    'a segment comes slower than it plays',
    { resource: breakSegment(8, (r) => ({ ...r, tookMs: 2_500 })) },
  ],
  [[4], 'an entry changes', { playlist: from(9, (t) => t.replace(/(2\.000,)(\nlow-5e55-7)/, '$1title$2')) }],
  [[4], 'an older version comes back', { states: flash(() => String(version(8, 'mid').body)) }],
  [
    [4],
    'the tail shrinks',
    { states: flash((t) => t.replace(/#EXT-X-PROG[^\n]*\n#EXTINF[^\n]*\n[^\n]*\n$/, '')) },
  ],
  [[4], 'a playlist is half written', { states: flash((t) => t.slice(0, -20)) }],
  [
    [4],
    'a playlist is not served for a while',
    {
      states: [
        { atMs: publishMs(9) + 500, resources: { 'mid.m3u8': undefined } },
        { atMs: publishMs(9) + 900, resources: { 'mid.m3u8': version(9, 'mid') } },
      ],
    },
  ],
  [
    [4],
    'INDEPENDENT-SEGMENTS is withdrawn without need',
    { playlist: from(9, (t) => t.replace('#EXT-X-INDEPENDENT-SEGMENTS\n', '')) },
  ],
  [[5], 'no segment for 5.5 s', { publishedAtMs: stallMs }],
  [[7], 'timestamps jump untagged', { plan: (plan, i) => (i >= 8 ? { pts: plan.pts + 1_800_000 } : {}) }],
  [[7], 'the picture size changes untagged', { plan: (_, i) => (i >= 8 ? { width: 176, height: 144 } : {}) }],
  [[7], 'sound goes away untagged', { plan: (_, i) => (i >= 8 ? { audio: false } : {}) }],
  [
    [8],
    'the number rises by two for one',
    {
      playlist: from(9, (t) =>
        t.replace(
          /(SEQUENCE:)(4|5|6|7|8)\n(#EXT-X-DISC)/,
          (_, tag: string, n: string, next: string) => `${tag}${Number(n) + 1}\n${next}`,
        ),
      ),
    },
  ],
  [[8], 'the number goes down', { states: flash((t) => t.replace(/(MEDIA-SEQUENCE:)\d+/, '$10')) }],
  [[9], 'less than three target durations', { window: (i) => (i >= 10 ? 2 : 6) }],
  [[9], 'less than six segments', { window: (i) => (i >= 10 ? 5 : 6) }],
  [[10], 'a removed segment is gone at once', { retainedMs: 10 }],
  [[10], 'a removed segment is gone a little early', { retainedMs: 12_500 }],
  [
    [11],
    'no discontinuity sequence',
    { playlist: (t) => t.replace(/#EXT-X-DISCONTINUITY-SEQUENCE:.*\n/, '') },
  ],
  [
    [11],
    'a discontinuity leaves without trace',
    { playlist: (t) => t.replace('DISCONTINUITY-SEQUENCE:1', 'DISCONTINUITY-SEQUENCE:0') },
  ],
  [
    [12],
    'a type in a sliding playlist',
    { playlist: (t) => t.replace('#EXT-X-INDEP', '#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEP') },
  ],
  [[13], 'the version is too low for GAP', { playlist: (t) => t.replace('VERSION:8', 'VERSION:3') }],
  [[13], 'the version changes', { playlist: from(9, (t) => t.replace('VERSION:8', 'VERSION:9')) }],
  [
    [14],
    'one variant dates the same content otherwise',
    { entry: (e, _, r) => (r === 'high' ? { dateMs: (e.dateMs ?? 0) + 1_000 } : {}) },
  ],
  [[14], 'no date after the discontinuity', { entry: on(epochAt, { dateMs: undefined }) }],
  [
    [14],
    'dates leave the sum of EXTINF',
    { entry: (e, i) => (i >= 9 ? { dateMs: (e.dateMs ?? 0) + 60 } : {}) },
  ],
  [[15], 'EXTINF is not what the pictures last', { entry: on(8, { seconds: 1.85 }) }],
  [
    [15],
    'EXTINF drifts by less than a frame each time',
    { entry: (_, i) => (i > epochAt ? { seconds: 1.97 } : {}) },
  ],
  [[16], 'no INDEPENDENT-SEGMENTS', { playlist: (t) => t.replace('#EXT-X-INDEPENDENT-SEGMENTS\n', '') }],
  [
    [18],
    'a change after the end',
    {
      states: [
        afterEnd((text) =>
          text.replace('#EXT-X-ENDLIST', '#EXT-X-GAP\n#EXTINF:2.000,\nx.ts\n#EXT-X-ENDLIST'),
        ),
      ],
    },
  ],
  [[18], 'the end is taken back', { states: [afterEnd((text) => text.replace('#EXT-X-ENDLIST\n', ''))] }],
  // And no segment comes any more.
  [
    [5, 18],
    'one variant does not end',
    { playlist: withHigh('high', (t) => t.replace('#EXT-X-ENDLIST\n', '')) },
  ],
  [
    [19],
    'BANDWIDTH too low',
    {
      multivariant: (t) =>
        t.replace(/BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+/, 'BANDWIDTH=9000,AVERAGE-BANDWIDTH=9000'),
    },
  ],
  [
    [19],
    'AVERAGE-BANDWIDTH too low',
    { multivariant: (t) => t.replace(/AVERAGE-BANDWIDTH=\d+/, 'AVERAGE-BANDWIDTH=9000') },
  ],
  [[19], 'no AVERAGE-BANDWIDTH', { multivariant: (t) => t.replace(/AVERAGE-BANDWIDTH=\d+,/, '') }],
  [[19], 'CODECS of another level', { multivariant: (t) => t.replace('avc1.42c01e', 'avc1.42c01f') }],
  [[19], 'CODECS without the sound', { multivariant: (t) => t.replace(',mp4a.40.2', '') }],
  [[19], 'another RESOLUTION', { multivariant: (t) => t.replace('854x480', '848x480') }],
  [[19], 'another FRAME-RATE', { multivariant: (t) => t.replace('=10.000', '=12.000') }],
  [
    [19],
    'a variant that does not exist',
    { multivariant: (t) => `${t}${/#EXT-X-STREAM-INF.*\n/.exec(t)?.[0] ?? ''}none.m3u8\n` },
  ],
  [[20], 'one variant counts otherwise', { firstNumber: (r) => (r === 'high' ? 1 : 0) }],
  [[20], 'one variant is cut elsewhere', { seconds: (i, r) => (r === 'high' && i === 8 ? 1.5 : 2) }],
  [
    [20],
    'one variant alone has a discontinuity',
    { entry: (_, i, r) => (r === 'high' && i === 9 ? { discontinuity: true } : {}) },
  ],
  [
    [20],
    'one variant is two targets behind',
    { publishedAtMs: (i, r) => publishMs(i) + (r === 'high' ? Math.min(i * 900, 4_500) : 0) },
  ],
  [[22], 'a CRC is wrong', { plan: on(8, { badCrc: true }) }],
  [[22], 'two programmes', { plan: on(8, { programmes: 2 }) }],
  [[22], 'PAT and PMT come last', { plan: on(8, { tablesLast: true }) }],
  [[23], 'no parameter sets', { plan: on(8, { withoutParameters: true }) }],
  [[16, 23], 'no random access point', { plan: on(8, { pictureType: 'none' }) }],
  [[24], 'a packet is lost at the cut', { plan: on(8, { skipCounter: 'video' }) }],
  [[24], 'the PAT counter does not run on', { plan: on(8, { skipCounter: 'pat' }) }],
  [[24], 'the last picture is lost', { plan: on(8, { dropPicture: 19 }) }],
  [[24], 'a hole in the sound at the cut', { plan: on(8, { dropSound: true }) }],
  [[25], 'a PES is split', { plan: on(8, { splitPes: true }) }],
];

describe('one fault is named by its rule, and nothing else is', () => {
  test.each(faults)('%j: %s', async (expected, _, fault) => {
    const report = await view(session(fault));
    expect({ rules: rules(report), violations: report.violations.slice(0, 4) }).toMatchObject({
      rules: expected,
    });
  });

  const renditions = { renditions: ['high'] };
  /** What the multivariant playlist of a session without faults says. */
  const plainly = (): string => {
    const { resources } = session(renditions).find(({ resources }) => 'index.m3u8' in resources)!;
    return String(resources['index.m3u8']!.body);
  };

  test.each([
    ['one of less than half the target duration is no set by itself', 1, 0.4, 4, []],
    ['two that last half the target duration together are one', 2, 0.6, 2, [19]],
  ])('19: the peak is over sets of segments: %s', async (_, count, seconds, times, expected) => {
    const isLast = (i: number): boolean => i >= segmentCount - count;
    const { violations } = await view(
      session({
        ...renditions,
        seconds: (i) => (isLast(i) ? seconds : target),
        plan: ({ pictureBytes = 0 }, i) => (isLast(i) ? { pictureBytes: times * pictureBytes } : {}),
        multivariant: plainly,
      }),
    );
    expect(violations.map(({ rule }) => rule)).toEqual(expected);
    for (const { message } of violations) expect(message).toMatch(/^the peak is .* 125 % of BANDWIDTH/);
  });

  test('19: BANDWIDTH falls', async () => {
    const states = session();
    const { body } = states.find(({ resources }) => 'index.m3u8' in resources)!.resources['index.m3u8']!;
    const lower = String(body).replace(/BANDWIDTH=(\d+),/, (_, peak) => `BANDWIDTH=${Number(peak) - 1},`);
    const fallen = { atMs: publishMs(4), resources: { 'index.m3u8': { status: 200, body: lower } } };
    const { violations } = await view([...states, fallen]);
    expect(violations).toEqual([
      expect.objectContaining({
        rule: 19,
        message: expect.stringMatching(/^BANDWIDTH falls from \d+ to \d+$/),
      }),
    ]);
  });

  test('19: what is said again', async () => {
    const states = session();
    const { body } = states.find(({ resources }) => 'index.m3u8' in resources)!.resources['index.m3u8']!;
    const other = String(body).replace('854x480', '848x480');
    const changes = [other, String(body)].map((text, i) => ({
      atMs: publishMs(3 + i),
      resources: { 'index.m3u8': { status: 200, body: text } },
    }));
    const { violations } = await view([...states, ...changes]);
    expect(violations).toEqual([
      expect.objectContaining({
        rule: 19,
        message: 'the multivariant playlist says again what it had said before',
      }),
    ]);
  });

  test('every rule of the watcher has its fault', () => {
    const covered = new Set(faults.flatMap(([numbers]) => numbers));
    const all = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 22, 23, 24, 25];
    expect([...covered].sort((a, b) => a - b)).toEqual(all);
  });
});
