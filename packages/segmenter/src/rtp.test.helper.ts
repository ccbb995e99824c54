export interface RtpFields {
  payloadType?: number;
  marker?: boolean;
  sequence?: number;
  timestamp?: number;
  ssrc?: number;
  csrcs?: readonly number[];
  /** Its 32-bit words. */
  extension?: readonly number[];
  padding?: number;
}

const word = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];

/** An RTP packet (RFC 3550 §5.1). */
export function rtpPacket(payload: readonly number[], fields: RtpFields = {}): number[] {
  const { payloadType = 33, marker, sequence = 0, timestamp = 0, ssrc = 1, csrcs = [], extension } = fields;
  const padding = fields.padding ?? 0;
  return [
    0x80 | (padding > 0 ? 0x20 : 0) | (extension ? 0x10 : 0) | csrcs.length,
    (marker ? 0x80 : 0) | payloadType,
    ...[sequence >> 8, sequence & 255],
    ...word(timestamp),
    ...word(ssrc),
    ...csrcs.flatMap(word),
    ...(extension
      ? [0xbe, 0xde, extension.length >> 8, extension.length & 255, ...extension.flatMap(word)]
      : []),
    ...payload,
    ...(padding > 0 ? [...new Array<number>(padding - 1).fill(0), padding] : []),
  ];
}

/** A null packet with a number in it. */
export function transportPacket(id: number): number[] {
  return [0x47, 0x1f, 0xff, 0x10, ...word(id), ...new Array<number>(180).fill(0xff)];
}

/** Seven packets, as they usually travel. */
export const transportPackets = (id: number): number[] =>
  [0, 1, 2, 3, 4, 5, 6].flatMap((n) => transportPacket(id * 7 + n));
