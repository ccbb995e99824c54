/** Frames of sound in a PES payload: AAC in ADTS (ISO/IEC 13818-7 §6.2) and MPEG-1/2 audio (ISO/IEC 11172-3 §2.4.1). */

export interface AudioFrames {
  /** RFC 6381, as `mp4a.40.2`. */
  codec: string;
  sampleRate: number;
  channels: number;
  /** Frames that begin in the payload. */
  count: number;
  samplesPerFrame: number;
}

const adtsRates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

export function adtsFrames(payload: Uint8Array): AudioFrames | undefined {
  let found: AudioFrames | undefined;
  let at = 0;
  while (at + 7 <= payload.length) {
    const byte = (offset: number): number => payload[at + offset] ?? 0;
    const size = ((byte(3) & 3) << 11) | (byte(4) << 3) | (byte(5) >> 5);
    const sampleRate = adtsRates[(byte(2) >> 2) & 15];
    if (byte(0) !== 0xff || (byte(1) & 0xf6) !== 0xf0 || size < 7 || sampleRate === undefined) {
      at += 1;
      continue;
    }
    found ??= {
      codec: `mp4a.40.${(byte(2) >> 6) + 1}`,
      sampleRate,
      channels: ((byte(2) & 1) << 2) | (byte(3) >> 6),
      count: 0,
      samplesPerFrame: 1024,
    };
    found.count += 1 + (byte(6) & 3);
    at += size;
  }
  return found;
}

const layer2Kbps = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const layer3Kbps = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const halfRateKbps = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const mpegRates = [44100, 48000, 32000];

export function mpegAudioFrames(payload: Uint8Array): AudioFrames | undefined {
  let found: AudioFrames | undefined;
  let at = 0;
  while (at + 4 <= payload.length) {
    const [sync = 0, kind = 0, rates = 0, mode = 0] = payload.subarray(at, at + 4);
    const mpeg1 = ((kind >> 3) & 3) === 3;
    const layer = 4 - ((kind >> 1) & 3);
    const kbps = (mpeg1 ? (layer === 2 ? layer2Kbps : layer3Kbps) : halfRateKbps)[rates >> 4];
    const baseRate = mpegRates[(rates >> 2) & 3];
    const valid =
      sync === 0xff && (kind & 0xe0) === 0xe0 && ((kind >> 3) & 3) >= 2 && (layer === 2 || layer === 3);
    if (!valid || !kbps || baseRate === undefined) {
      at += 1;
      continue;
    }
    const sampleRate = mpeg1 ? baseRate : baseRate / 2;
    const samplesPerFrame = layer === 3 && !mpeg1 ? 576 : 1152;
    found ??= {
      codec: 'mp4a.40.34',
      sampleRate,
      channels: mode >> 6 === 3 ? 1 : 2,
      count: 0,
      samplesPerFrame,
    };
    if (layer === 2) found.codec = 'mp4a.40.33';
    found.count += 1;
    at += Math.floor((samplesPerFrame * kbps * 125) / sampleRate) + ((rates >> 1) & 1);
  }
  return found;
}
