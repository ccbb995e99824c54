import type { AudioFraming } from './audio-frame.js';
import { TICKS_PER_SECOND } from './timestamp.js';

/** bitrate_index in kbit/s (ISO/IEC 11172-3 §2.4.2.3, 13818-3 §2.4.2.3): MPEG-1 layers I, II, III; MPEG-2 I, II and III. */
const bitRates = {
  v1: [
    [],
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  v2: [
    [],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
} as const;
const sampleRates = [44100, 48000, 32000];

/** 0: MPEG-2.5, 2: MPEG-2, 3: MPEG-1; 1 is reserved. */
const version = (bytes: Uint8Array, at: number): number => (bytes[at + 1]! >> 3) & 3;
/** 1, 2, 3; 4 is reserved. */
const layer = (bytes: Uint8Array, at: number): number => 4 - ((bytes[at + 1]! >> 1) & 3);

function sampleRate(bytes: Uint8Array, at: number): number {
  const rate = sampleRates[(bytes[at + 2]! >> 2) & 3] ?? 0;
  const v = version(bytes, at);
  return v === 3 ? rate : v === 2 ? rate / 2 : rate / 4;
}

function samples(bytes: Uint8Array, at: number): number {
  const l = layer(bytes, at);
  if (l === 1) return 384;
  return l === 3 && version(bytes, at) !== 3 ? 576 : 1152;
}

/**
 * MPEG-1 and MPEG-2 audio, layers I to III (ISO/IEC 11172-3 §2.4.1.3). As MPEG-4 audio object types they are 32, 33 and
 * 34; layer III as `mp4a.40.34` is what Apple's specification and hls.js name, layer II plays in few places.
 */
export const mpegAudio: AudioFraming = {
  headerBytes: 4,
  frameBytes(bytes, at) {
    if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xe0) !== 0xe0) return 0;
    const v = version(bytes, at);
    const l = layer(bytes, at);
    const rate = sampleRate(bytes, at);
    const index = bytes[at + 2]! >> 4;
    if (v === 1 || l === 4 || rate === 0 || index === 0 || index === 15) return 0;
    const bitRate = (v === 3 ? bitRates.v1 : bitRates.v2)[l]![index]! * 1000;
    const padding = (bytes[at + 2]! >> 1) & 1;
    if (l === 1) return (Math.floor((12 * bitRate) / rate) + padding) * 4;
    return Math.floor(((samples(bytes, at) / 8) * bitRate) / rate) + padding;
  },
  frameTicks: (bytes, at) => (samples(bytes, at) * TICKS_PER_SECOND) / sampleRate(bytes, at),
  // version, layer, sampling_frequency, and whether the mode is single channel
  signature: (bytes, at) =>
    ((bytes[at + 1]! & 0x1e) << 8) | (bytes[at + 2]! & 0x0c) | (bytes[at + 3]! >> 6 === 3 ? 1 : 0),
  parameters: (bytes, at) => ({
    codec: `mp4a.40.${31 + layer(bytes, at)}`,
    channels: bytes[at + 3]! >> 6 === 3 ? 1 : 2,
    sampleRate: sampleRate(bytes, at),
  }),
};
