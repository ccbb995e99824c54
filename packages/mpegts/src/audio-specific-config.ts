import type { AudioParameters } from './audio-frame.js';
import type { BitReader } from './bit-reader.js';
import { MediaError } from './errors.js';

/** samplingFrequencyIndex (ISO/IEC 14496-3 table 1.18). */
export const samplingFrequencies = [
  96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
] as const;
/** channelConfiguration (table 1.19); 0: only a program config element in the data tells. */
export const channelCounts = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8] as const;

/** audioObjectType (table 1.17). */
const SBR = 5;
const LOW_DELAY = 23;
const PS = 29;
const ENHANCED_LOW_DELAY = 39;
/** Those with a GASpecificConfig, whose first bit says 960 samples a frame instead of 1024. */
const GENERAL_AUDIO = new Set([1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, LOW_DELAY]);

export interface AudioSpecificConfig extends AudioParameters {
  /** Of the core coder. */
  samplesPerFrame: number;
  coreSampleRate: number;
}

/**
 * AudioSpecificConfig up to the frame length (ISO/IEC 14496-3 §1.6.2.1).
 *
 * @throws MediaError `bad-parameter-set`
 */
export function readAudioSpecificConfig(bits: BitReader): AudioSpecificConfig {
  const outer = readObjectType(bits);
  const coreSampleRate = readFrequency(bits);
  const channels = channelCounts[bits.bits(4)] ?? 0;
  const replicated = outer === SBR || outer === PS;
  const sampleRate = replicated ? readFrequency(bits) : coreSampleRate;
  const core = replicated ? readObjectType(bits) : outer;
  let samplesPerFrame = 1024;
  if (GENERAL_AUDIO.has(core) && bits.flag()) samplesPerFrame = 960;
  if (core === LOW_DELAY) samplesPerFrame /= 2;
  if (core === ENHANCED_LOW_DELAY) samplesPerFrame = bits.flag() ? 480 : 512;
  // Parametric stereo makes two channels of one.
  const played = outer === PS && channels === 1 ? 2 : channels;
  return {
    codec: `mp4a.40.${outer}`,
    ...(played > 0 && { channels: played }),
    sampleRate,
    samplesPerFrame,
    coreSampleRate,
  };
}

function readObjectType(bits: BitReader): number {
  const type = bits.bits(5);
  const whole = type === 31 ? 32 + bits.bits(6) : type;
  if (whole === 0) throw new MediaError('bad-parameter-set', 'AAC: a configuration of no audio object type');
  return whole;
}

function readFrequency(bits: BitReader): number {
  const index = bits.bits(4);
  const frequency = index === 15 ? bits.bits(24) : (samplingFrequencies[index] ?? 0);
  if (frequency < 1000 || frequency > 200_000)
    throw new MediaError('bad-parameter-set', `AAC: a sampling frequency of ${frequency} Hz`);
  return frequency;
}
