import { describe, expect, test } from '@jest/globals';
import { ElementaryTrack } from '@hls-uplink/mpegts';
import { Pace } from './pace.js';
import { completeTracks, describeTracks } from './track-description.js';

/** cc_data of one pair of field 1 (ATSC A/53 part 4 §6.2.3.1): Roll-Up Captions, or padding. */
const userData = (...pair: [number, number]): Uint8Array =>
  Uint8Array.from([0x47, 0x41, 0x39, 0x34, 3, 0x41, 0xff, 0xfc, ...pair, 0xff]);

describe('closed captions', () => {
  test('are told with the segment that they are found in, and from then on', () => {
    const track = new ElementaryTrack(256, 'video', 'h264');
    track.sps = { codec: 'avc1.64001f', width: 640, height: 360, frameRate: 25 };
    const pace = new Pace();
    const describe = () => describeTracks([track], pace);
    const carry = (...pair: [number, number]): void => {
      const bytes = userData(...pair);
      track.captions!.userData(bytes, 0, bytes.length);
    };
    const before = describe();
    carry(0x80, 0x80);
    const padded = completeTracks(before, describe());
    expect(padded.tracks[0]).not.toHaveProperty('captions');
    carry(0x94, 0x25);
    expect(completeTracks(before, describe()).tracks[0]).toMatchObject({ width: 640, captions: ['CC1'] });
    expect(describe().tracks[0]).toMatchObject({ captions: ['CC1'] });
  });
});
