import { describe, expect, test } from '@jest/globals';
import type { Segment } from '@hls-uplink/protocol';
import { Rig } from './testing/rig.js';

/** Each multivariant playlist that is put from now on. */
function versionsOf(rig: Rig): string[] {
  const versions: string[] = [];
  rig.store.multivariant = () => {
    versions.push(rig.state.multivariant.inFlight!.text);
    return 'stored';
  };
  return versions;
}

function live(renditions: string[], segments: number): { rig: Rig; versions: string[] } {
  const rig = Rig.live(renditions, 0);
  const versions = versionsOf(rig);
  for (let i = 0; i < segments; i++) rig.step(renditions, i);
  return { rig, versions };
}

const attribute = (text: string, name: string): number =>
  Number(new RegExp(`[:,]${name}=(\\d+)`).exec(text)?.[1]);
const bytes = (kilobytes: number): Partial<Segment> => ({ bytes: 1000 * kilobytes });

describe('the multivariant playlist', () => {
  test('is put once where nothing changes', () => {
    const { rig, versions } = live(['low', 'mid'], 30);
    const said = versions.map((text) => text.match(/\.m3u8/g)?.length);
    // I-frame playlists are offered when they are there.
    expect(said).toEqual([2, 4]);
    for (let i = 30; i < 60; i++) rig.step(['low', 'mid'], i);
    expect(versions).toHaveLength(2);
  });

  test('does not follow a measured average up and down', () => {
    const { rig, versions } = live(['low'], 0);
    const averages = [100, 112, 94, 112, 94, 112, 90, 90, 90, 100].map((kilobytes, i) => {
      rig.step(['low'], i, bytes(kilobytes));
      return attribute(versions.at(-1)!, 'AVERAGE-BANDWIDTH');
    });
    expect(averages[0]).toBe(Math.round((100_000 * 8) / 6));
    // 6 % above it, then less than a tenth below that.
    expect(new Set(averages.slice(1))).toEqual(new Set([Math.round((212_000 * 8) / 12)]));
  });

  test('follows it where it would be a tenth wrong', () => {
    const { rig, versions } = live(['low'], 0);
    for (let i = 0; i < 40; i++) rig.step(['low'], i, bytes(i === 0 ? 200 : 100));
    const averages = [...new Set(versions.map((text) => attribute(text, 'AVERAGE-BANDWIDTH')))];
    expect(averages).toEqual([...averages].sort((a, b) => b - a));
    expect(averages.length).toBeGreaterThan(2);
    const measured = (41 * 100_000 * 8) / (40 * 6);
    expect(averages.at(-1)! / measured).toBeGreaterThan(0.95);
    expect(averages.at(-1)! / measured).toBeLessThan(1.12);
    expect(new Set(versions.map((text) => attribute(text, 'BANDWIDTH'))).size).toBe(1);
  });

  test('says after a restart what it said, also of what was not listed any more', () => {
    const { rig, versions } = live(['low', 'mid'], 4);
    // The next version of low is on its way when the uploader dies; what was measured with it has been said.
    rig.store.playlist = (rendition) => (rendition === 'low' ? 'held' : 'stored');
    rig.step(['low', 'mid'], 4, bytes(400));
    const said = versions.at(-1)!;
    expect(said).not.toBe(versions.at(-2));
    const texts = [...rig.texts, ['live/index.m3u8', said] as const].map(([key, text]) => ({ key, text }));
    const next = new Rig(texts);
    next.at = rig.at;
    const again = versionsOf(next);
    for (const name of ['low', 'mid']) next.connect(name);
    next.step(['mid'], 5, bytes(230));
    expect(next.entries('mid')).toMatch(/5$/);
    next.step(['low'], 4, bytes(400));
    expect(next.entries('low')).toMatch(/4$/);
    expect(again).toEqual([]);
  });

  test('offers no I-frame playlist before its peak bit rate is known', () => {
    const rig = Rig.live(['low'], 0);
    rig.to(2);
    rig.segment('low', 0, 4, 6);
    rig.to(16);
    expect(rig.multivariant).toContain('\nlow.m3u8\n');
    expect(rig.iFrames.has('live/low-iframes.m3u8')).toBe(true);
    expect(rig.multivariant).not.toContain('I-FRAME');
    rig.segment('low', 1, 6, 12);
    expect(rig.multivariant).toMatch(/I-FRAME-STREAM-INF:BANDWIDTH=\d{3,},/);
  });
});
