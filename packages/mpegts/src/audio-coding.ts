import type { AudioFraming } from './audio-frame.js';
import { DolbyDigital } from './dolby-digital.js';
import { ImplicitSbr } from './implicit-sbr.js';
import { Loas } from './loas.js';
import { mpegAudio } from './mpeg-audio.js';

/** How the frames of an audio codec are found: a fresh one for each track, since some keep what earlier frames said. */
export const audioCodings = {
  aac: () => new ImplicitSbr(),
  'aac-latm': () => new Loas(),
  'mpeg-audio': () => mpegAudio,
  'ac-3': () => new DolbyDigital(),
  'e-ac-3': () => new DolbyDigital(),
} as const satisfies Record<string, () => AudioFraming>;

/** Of a `Coding`, for one track; `undefined`: not one whose frames are found. */
export function audioFraming(coding: string): AudioFraming | undefined {
  return Object.hasOwn(audioCodings, coding)
    ? audioCodings[coding as keyof typeof audioCodings]()
    : undefined;
}
