import { describe, expect, test } from '@jest/globals';
import { answers, liveIsBack, successor } from './testing/recorded.js';
import { BEGIN_MS, Rig } from './testing/rig.js';

const DVR_LONG = { dvr: { segments: 1000, seconds: 0 } };

describe('the line of what recordings wait for', () => {
  /** What an operator may give at most, and it lasts. */
  const range = {
    id: 'long',
    startDateMs: BEGIN_MS + 54_000,
    durationSeconds: 86_400,
    clientAttributes: { 'X-A': `"${'a'.repeat(8000)}"` },
  };

  test('has a date range once, however often it was carried over, and room for the segments', () => {
    const rig = Rig.live(['low'], 10, DVR_LONG);
    rig.happen({ type: 'date-range-given', range });
    rig.store.segment = () => false;
    for (let i = 10; i < 400; i++) rig.step(['low'], i);
    liveIsBack(rig);
    const text = rig.texts.get('live/low.m3u8')!;
    expect(/"arrears":.*"tracks"/.exec(text)![0].match(/ID=\\"long/g)).toHaveLength(1);
    expect(answers(rig, 'backlog')).toEqual([]);
    const next = successor(rig, DVR_LONG);
    expect(next.state.refusal).toBeUndefined();
    expect(next.state.renditions['low']!.arrears.length).toBe(rig.state.renditions['low']!.arrears.length);
  });
});
