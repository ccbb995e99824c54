import type { Pmt, PmtStream } from './pmt.js';

/** How an elementary stream is treated. `h264`, `aac` and `mpeg-audio` are read; `other` is passed on unread. */
export type Codec = 'h264' | 'aac' | 'mpeg-audio' | 'other';

export interface StreamKind {
  kind: 'video' | 'audio' | 'other';
  /** Absent: not supported. */
  codec?: Codec;
  /** For people. */
  name: string;
}

const video = (name: string): StreamKind => ({ kind: 'video', name });
const audio = (name: string): StreamKind => ({ kind: 'audio', name });
const OTHER: StreamKind = { kind: 'other', codec: 'other', name: 'data' };

/** stream_type (ISO/IEC 13818-1 table 2-34, ATSC A/53, and what is found in the wild above 0x80). */
const streamTypes = new Map<number, StreamKind>([
  [0x01, video('MPEG-1 video')],
  [0x02, video('MPEG-2 video')],
  [0x03, { kind: 'audio', codec: 'mpeg-audio', name: 'MPEG audio' }],
  [0x04, { kind: 'audio', codec: 'mpeg-audio', name: 'MPEG audio' }],
  [0x0f, { kind: 'audio', codec: 'aac', name: 'AAC' }],
  [0x10, video('MPEG-4 part 2 video')],
  [0x11, audio('AAC in LATM')],
  [0x1b, { kind: 'video', codec: 'h264', name: 'H.264' }],
  [0x1c, audio('MPEG-4 audio without ADTS')],
  [0x21, video('JPEG 2000 video')],
  [0x24, video('HEVC')],
  [0x2d, audio('MPEG-H audio')],
  [0x33, video('VVC')],
  [0x42, video('AVS video')],
  [0x80, video('DigiCipher II video')],
  [0x81, audio('AC-3')],
  [0x82, audio('DTS')],
  [0x83, audio('TrueHD or LPCM')],
  [0x84, audio('E-AC-3')],
  [0x85, audio('DTS-HD')],
  [0x86, audio('DTS-HD')],
  [0x87, audio('E-AC-3')],
  [0x8a, audio('DTS')],
  [0xc1, audio('encrypted AC-3')],
  [0xc2, audio('encrypted E-AC-3')],
  [0xcf, audio('encrypted AAC')],
  [0xd1, video('Dirac')],
  [0xdb, video('encrypted H.264')],
  [0xea, video('VC-1')],
]);

/** format_identifier of the registration descriptor, for stream types that leave the meaning open. */
const registrations = new Map<string, StreamKind>([
  ['AC-3', audio('AC-3')],
  ['EAC3', audio('E-AC-3')],
  ['AC-4', audio('AC-4')],
  ['DTS1', audio('DTS')],
  ['DTS2', audio('DTS')],
  ['DTS3', audio('DTS')],
  ['Opus', audio('Opus')],
  ['BSSD', audio('SMPTE 302M')],
  ['HEVC', video('HEVC')],
  ['AV01', video('AV1')],
  ['VC-1', video('VC-1')],
  ['drac', video('Dirac')],
  ['CUEI', OTHER],
  ['KLVA', OTHER],
  ['ID3 ', OTHER],
]);

/** Descriptors that name the codec of a private PES stream (ETSI EN 300 468 table 12). */
const privateDescriptors = new Map<number, StreamKind>([
  [0x6a, audio('AC-3')],
  [0x7a, audio('E-AC-3')],
  [0x7b, audio('DTS')],
  [0x7c, audio('AAC in private data')],
]);

const REGISTRATION = 0x05;
const LANGUAGE = 0x0a;
/** Private PES, user private: only their descriptors tell what they are. */
const isOpen = (streamType: number): boolean => streamType === 0x06 || streamType >= 0x80;

/** What the PMT says an elementary stream is. */
export function streamKind(stream: PmtStream, pmt?: Pmt): StreamKind {
  if (isOpen(stream.streamType)) {
    const registered = registrations.get(registration(stream));
    if (registered) return registered;
    if (stream.streamType === 0x06) {
      for (const { tag, data } of stream.descriptors) {
        // Extension descriptor: AC-4 and DTS-UHD (0x15, 0x21), Opus as ffmpeg marks it (0x80).
        const named = tag === 0x7f && data[0] === 0x15 ? audio('AC-4') : privateDescriptors.get(tag);
        if (named) return named;
      }
      return OTHER;
    }
    // SCTE-35 says CUEI once for the whole program (SCTE 35 §8.1), and its stream type is that of a DTS in Blu-ray.
    if (
      stream.streamType === 0x86 &&
      pmt?.descriptors.some((d) => registration({ descriptors: [d] }) === 'CUEI')
    )
      return OTHER;
  }
  return streamTypes.get(stream.streamType) ?? OTHER;
}

/** ISO 639-2 code of the ISO 639 language descriptor, if it is one. */
export function streamLanguage(stream: PmtStream): string | undefined {
  const data = stream.descriptors.find(({ tag }) => tag === LANGUAGE)?.data;
  const code = data && data.length >= 3 ? String.fromCharCode(...data.subarray(0, 3)).toLowerCase() : '';
  return /^[a-z]{3}$/.test(code) ? code : undefined;
}

function registration({ descriptors }: Pick<PmtStream, 'descriptors'>): string {
  const data = descriptors.find(({ tag }) => tag === REGISTRATION)?.data;
  return data && data.length >= 4 ? String.fromCharCode(...data.subarray(0, 4)) : '';
}
