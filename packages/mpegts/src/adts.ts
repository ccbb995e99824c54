import type { AudioFraming } from './audio-frame.js';
import { TICKS_PER_SECOND } from './timestamp.js';

/** sampling_frequency_index (ISO/IEC 14496-3 table 1.18). */
const sampleRates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
/** channel_configuration (ISO/IEC 14496-3 table 1.19); 0: only a program config element in the data tells. */
const channelCounts = [0, 1, 2, 3, 4, 5, 6, 8];

const rateIndex = (bytes: Uint8Array, at: number): number => (bytes[at + 2]! >> 2) & 0x0f;

/** AAC in ADTS (ISO/IEC 14496-3 §1.A.2). */
export const adts: AudioFraming = {
  headerBytes: 7,
  frameBytes(bytes, at) {
    // syncword, layer 0
    if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xf6) !== 0xf0 || rateIndex(bytes, at) >= sampleRates.length)
      return 0;
    const length = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
    return length >= 7 ? length : 0;
  },
  frameTicks(bytes, at) {
    const blocks = (bytes[at + 6]! & 3) + 1;
    return (blocks * 1024 * TICKS_PER_SECOND) / sampleRates[rateIndex(bytes, at)]!;
  },
  // profile, sampling_frequency_index, channel_configuration
  signature: (bytes, at) => ((bytes[at + 2]! & 0xfd) << 8) | (bytes[at + 3]! & 0xc0),
  parameters(bytes, at) {
    const channels = channelCounts[((bytes[at + 2]! & 1) << 2) | (bytes[at + 3]! >> 6)]!;
    return {
      codec: `mp4a.40.${(bytes[at + 2]! >> 6) + 1}`,
      ...(channels > 0 && { channels }),
      sampleRate: sampleRates[rateIndex(bytes, at)]!,
    };
  },
};
