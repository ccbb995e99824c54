import { describe, expect, test } from '@jest/globals';
import { ownerOf } from './ownership.js';
import { Rig, sessionOf } from './testing/rig.js';

const BOTH = ['low', 'mid'];
const FENCED = { fenced: true };

const readBack = (rig: Rig) => [
  { key: 'live/index.m3u8', text: rig.multivariant },
  ...[...rig.texts].map(([key, text]) => ({ key, text })),
];
const ownersIn = (rig: Rig): string[] =>
  [rig.multivariant, ...rig.texts.values()].map((text) => {
    const owner = ownerOf(text);
    return `${owner?.writer} ${owner?.term}`;
  });
/** But for the comments. */
const tagsOf = (text: string): string => text.replaceAll(/^#hls-uplink.*\n/gm, '');

/** A second uploader that reads back what a first one has published, and the order of what it writes. */
function successor(first: Rig): { rig: Rig; order: string[] } {
  const rig = new Rig(readBack(first), { ...FENCED, writer: 'second' });
  rig.at = first.at;
  const order: string[] = [];
  rig.store.playlist = (rendition) => {
    order.push(rendition);
    return 'stored';
  };
  rig.store.multivariant = () => {
    order.push('index');
    return 'stored';
  };
  return { rig, order };
}

describe('the owner of a channel', () => {
  test('stands in each of its playlists', () => {
    expect(ownersIn(Rig.live(BOTH, 4, FENCED))).toEqual(['test 1', 'test 1', 'test 1']);
  });

  test('is not said of the multivariant playlist where nothing can be held by it', () => {
    expect(Rig.live(BOTH, 4).multivariant).not.toContain('hls-uplink');
  });

  test('takes over before it writes anything else: the multivariant playlist first, then all others', () => {
    const first = Rig.live(BOTH, 4, FENCED);
    const { rig, order } = successor(first);
    rig.connect('low');
    expect(order).toEqual([]);
    rig.segment('low', 4, 24, 30);
    expect(order).toEqual(['index', 'low', 'mid']);
    expect(ownersIn(rig)).toEqual(['second 2', 'second 2', 'second 2']);
    expect(tagsOf(rig.multivariant)).toBe(tagsOf(first.multivariant));
    expect(tagsOf(rig.texts.get('live/mid.m3u8')!)).toBe(tagsOf(first.texts.get('live/mid.m3u8')!));
    expect(rig.entries('low')).toBe(`${first.entries('low')} 4`);
  });

  test('writes nothing else while the multivariant playlist is not stored as its own', () => {
    const { rig, order } = successor(Rig.live(BOTH, 4, FENCED));
    const outcomes = ['failed', 'failed', 'held'] as const;
    let tries = 0;
    rig.store.multivariant = () => outcomes[tries++] ?? 'held';
    rig.connect('low');
    rig.segment('low', 4, 24, 30);
    rig.segment('low', 5, 30, 36);
    expect([tries, order]).toEqual([3, []]);
    rig.happen({
      type: 'multivariant-stored',
      view: 'live',
      version: rig.state.multivariant.inFlight!.version,
    });
    expect(order).toEqual(['low', 'mid']);
    expect(rig.answers).toContain('low/5 published');
  });

  test('goes on where only media playlists stand', () => {
    const first = Rig.live(BOTH, 4, FENCED);
    const rig = new Rig(readBack(first).slice(1), { ...FENCED, writer: 'second' });
    rig.at = first.at;
    rig.connect('mid');
    rig.segment('mid', 4, 24, 30);
    expect(ownersIn(rig)).toEqual(['second 2', 'second 2', 'second 2']);
  });

  test('counts its term from the newest of them', () => {
    const first = Rig.live(BOTH, 4, FENCED);
    const { rig: second } = successor(first);
    second.connect('low');
    second.segment('low', 4, 24, 30);
    const mixed = readBack(first).map((one) => (one.key.endsWith('mid.m3u8') ? readBack(second)[1]! : one));
    expect(new Rig(mixed, { ...FENCED, writer: 'third' }).state.term).toBe(3);
  });

  test('takes over a stream that has ended for the ENDLIST of its I-frame playlists, once', () => {
    const first = Rig.live(['low'], 4, FENCED);
    first.store.iFrames = () => 'held';
    first.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf('low'), index: 4 } });
    expect(first.playlist('low').endList).toBe(true);
    const { rig, order } = successor(first);
    expect(ownersIn(rig)).toEqual(['second 2', 'second 2']);
    expect(rig.playlist('low').endList).toBe(true);
    expect(rig.iFrames.get('live/low-iframes.m3u8')).toContain('#EXT-X-ENDLIST');
    rig.happen({ type: 'tick' });
    expect(order).toEqual([]);
  });

  test('is nobody in what another tool wrote, or what is damaged', () => {
    expect(ownerOf('#EXTM3U\n#EXT-X-VERSION:3\n')).toBeUndefined();
    for (const line of [
      '{',
      '7',
      'null',
      '{"writer":"a"}',
      '{"writer":1,"term":1}',
      '{"writer":"a","term":1.5}',
    ])
      expect(ownerOf(`#EXTM3U\n#hls-uplink:${line}\n`)).toBeUndefined();
  });
});
