import type { audioCodings } from './audio-coding.js';
import type { Descriptor, Pmt, PmtStream } from './pmt.js';
import type { videoCodings } from './video-coding.js';

/** What an elementary stream holds. Those of `videoCodings` and `audioCodings` are read, the others handed on unread. */
export type Coding =
  | keyof typeof videoCodings
  | keyof typeof audioCodings
  | 'ac-4'
  | 'dts'
  | 'opus'
  | 'id3'
  | 'scte-35'
  | 'dvb-subtitles'
  | 'teletext'
  | 'klv'
  | 'other';

export interface StreamKind {
  kind: 'video' | 'audio' | 'other';
  coding: Coding;
  /** RFC 6381, where no header has to be read to know it. */
  codecs?: string;
  /** For people. */
  name: string;
}

const video = (name: string, coding: Coding = 'other'): StreamKind => ({ kind: 'video', coding, name });
const audio = (name: string, coding: Coding = 'other', codecs?: string): StreamKind => ({
  kind: 'audio',
  coding,
  ...(codecs !== undefined && { codecs }),
  name,
});
const data = (name: string, coding: Coding = 'other'): StreamKind => ({ kind: 'other', coding, name });

const AC3 = audio('AC-3', 'ac-3', 'ac-3');
const EAC3 = audio('E-AC-3', 'e-ac-3', 'ec-3');
const AC4 = audio('AC-4', 'ac-4');
const DTS = audio('DTS', 'dts', 'dtsc');
const DTS_HD = audio('DTS-HD', 'dts', 'dtsh');
const OPUS = audio('Opus', 'opus', 'Opus');
const HEVC = video('HEVC', 'hevc');
const ID3 = data('ID3 timed metadata', 'id3');
const SCTE35 = data('SCTE-35', 'scte-35');
const SUBTITLES = data('DVB subtitles', 'dvb-subtitles');
const TELETEXT = data('teletext', 'teletext');
const KLV = data('KLV metadata', 'klv');
const DATA = data('data');

/** stream_type (ISO/IEC 13818-1 table 2-34, ATSC A/53, and what is found in the wild above 0x80). */
const streamTypes = new Map<number, StreamKind>([
  [0x01, video('MPEG-1 video', 'mpeg-video')],
  [0x02, video('MPEG-2 video', 'mpeg-video')],
  [0x03, audio('MPEG audio', 'mpeg-audio')],
  [0x04, audio('MPEG audio', 'mpeg-audio')],
  [0x0f, audio('AAC', 'aac')],
  [0x10, video('MPEG-4 part 2 video')],
  [0x11, audio('AAC in LATM', 'aac-latm')],
  [0x15, ID3],
  [0x1b, video('H.264', 'h264')],
  [0x1c, audio('MPEG-4 audio without ADTS')],
  [0x21, video('JPEG 2000 video')],
  [0x24, HEVC],
  [0x2d, audio('MPEG-H audio')],
  [0x33, video('VVC')],
  [0x42, video('AVS video')],
  [0x80, video('DigiCipher II video')],
  [0x81, AC3],
  [0x82, DTS],
  [0x83, audio('TrueHD or LPCM')],
  [0x84, EAC3],
  [0x86, SCTE35],
  [0x87, EAC3],
  [0x8a, DTS],
  [0xc1, audio('encrypted AC-3')],
  [0xc2, audio('encrypted E-AC-3')],
  [0xcf, audio('encrypted AAC')],
  [0xd1, video('Dirac')],
  [0xd2, video('AVS2 video')],
  [0xdb, video('encrypted H.264')],
  [0xea, video('VC-1')],
]);

/** What Blu-ray means by stream types that others use otherwise; the program is registered as `HDMV`. */
const bluRayTypes = new Map<number, StreamKind>([
  [0x80, audio('LPCM')],
  [0x83, audio('TrueHD')],
  [0x85, DTS_HD],
  [0x86, DTS_HD],
  [0x90, data('presentation graphics')],
  [0x91, data('interactive graphics')],
  [0x92, data('text subtitles')],
  [0xa1, EAC3],
  [0xa2, DTS_HD],
]);

/** format_identifier of the registration descriptor, for stream types that leave the meaning open. */
const registrations = new Map<string, StreamKind>([
  ['AC-3', AC3],
  ['EAC3', EAC3],
  ['AC-4', AC4],
  ['DTS1', DTS],
  ['DTS2', DTS],
  ['DTS3', DTS],
  ['Opus', OPUS],
  ['BSSD', audio('SMPTE 302M')],
  ['HEVC', HEVC],
  ['AV01', video('AV1')],
  ['VC-1', video('VC-1')],
  ['drac', video('Dirac')],
  ['CUEI', SCTE35],
  ['KLVA', KLV],
  ['ID3 ', ID3],
]);

/** Descriptors that name the contents of a private PES stream (ETSI EN 300 468 table 12). */
const privateDescriptors = new Map<number, StreamKind>([
  [0x46, TELETEXT],
  [0x56, TELETEXT],
  [0x59, SUBTITLES],
  [0x6a, AC3],
  [0x7a, EAC3],
  [0x7b, DTS],
  [0x7c, audio('AAC in private data')],
]);
/** descriptor_tag_extension (table 109); 0x80 is how ffmpeg marks Opus. */
const extensions = new Map<number, StreamKind>([
  [0x0e, DTS_HD],
  [0x15, AC4],
  [0x21, audio('DTS-UHD', 'dts')],
  [0x80, OPUS],
]);

const REGISTRATION = 0x05;
const LANGUAGE = 0x0a;
const METADATA = 0x26;
const EXTENSION = 0x7f;
/** Of DVB, with a language of three letters at the beginning: VBI teletext, teletext, subtitling. */
const LANGUAGE_FIRST = [0x46, 0x56, 0x59];
const PRIVATE_PES = 0x06;
const METADATA_PES = 0x15;
/** Private PES, user private: only their descriptors tell what they are. */
const isOpen = (streamType: number): boolean => streamType === PRIVATE_PES || streamType >= 0x80;

/** What the PMT says an elementary stream is. */
export function streamKind(stream: PmtStream, pmt?: Pmt): StreamKind {
  const { streamType, descriptors } = stream;
  if (isOpen(streamType)) {
    const registered = firstOf(descriptors, registrationOf, registrations);
    if (registered) return registered;
  }
  if (streamType === PRIVATE_PES) {
    return (
      firstOf(descriptors, ({ tag }) => tag, privateDescriptors) ??
      firstOf(descriptors, ({ tag, data }) => (tag === EXTENSION ? data[0] : undefined), extensions) ??
      (descriptors.some(isId3) ? ID3 : DATA)
    );
  }
  // Metadata of another format than ID3, where it says so.
  if (streamType === METADATA_PES && descriptors.some(({ tag }) => tag === METADATA))
    return descriptors.some(isId3) ? ID3 : (firstOf(descriptors, registrationOf, registrations) ?? DATA);
  const isBluRay = [...descriptors, ...(pmt?.descriptors ?? [])].some(
    (one) => registrationOf(one) === 'HDMV',
  );
  return (isBluRay ? bluRayTypes.get(streamType) : undefined) ?? streamTypes.get(streamType) ?? DATA;
}

/**
 * ISO 639-2 code of the first ISO 639 language descriptor that has one, or of the teletext or subtitling descriptor; of
 * two languages in one stream the first.
 */
export function streamLanguage({ descriptors }: PmtStream): string | undefined {
  for (const tags of [[LANGUAGE], LANGUAGE_FIRST]) {
    for (const { tag, data } of descriptors) {
      if (!tags.includes(tag) || data.length < 3) continue;
      const code = String.fromCharCode(...data.subarray(0, 3)).toLowerCase();
      if (/^[a-z]{3}$/.test(code)) return code;
    }
  }
  return undefined;
}

function firstOf<K>(
  descriptors: readonly Descriptor[],
  key: (descriptor: Descriptor) => K | undefined,
  kinds: ReadonlyMap<K, StreamKind>,
): StreamKind | undefined {
  for (const descriptor of descriptors) {
    const known = key(descriptor);
    const kind = known === undefined ? undefined : kinds.get(known);
    if (kind) return kind;
  }
  return undefined;
}

/** format_identifier of a registration descriptor (ISO/IEC 13818-1 §2.6.8). */
function registrationOf({ tag, data }: Descriptor): string | undefined {
  if (tag !== REGISTRATION || data.length < 4) return undefined;
  return String.fromCharCode(...data.subarray(0, 4));
}

/** Metadata descriptor (ISO/IEC 13818-1 §2.6.60) with metadata_format_identifier `ID3 `, as Apple's timed metadata has it. */
function isId3({ tag, data }: Descriptor): boolean {
  if (tag !== METADATA) return false;
  // metadata_application_format 0xffff brings an identifier of four bytes with it.
  const format = data[0] === 0xff && data[1] === 0xff ? 6 : 2;
  return data[format] === 0xff && String.fromCharCode(...data.subarray(format + 1, format + 5)) === 'ID3 ';
}
