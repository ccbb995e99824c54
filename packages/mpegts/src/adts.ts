import type { AudioFraming } from './audio-frame.js';
import { channelCounts, samplingFrequencies as sampleRates } from './audio-specific-config.js';
import { TICKS_PER_SECOND } from './timestamp.js';

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
