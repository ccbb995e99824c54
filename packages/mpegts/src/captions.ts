/** payloadType of user_data_registered_itu_t_t35, in H.264 (§D.1.6) and HEVC (§D.2.6) alike. */
const REGISTERED_USER_DATA = 4;
/** itu_t_t35_country_code and itu_t_t35_provider_code of ATSC (A/53 part 4 §6.2.3.1). */
const ATSC = [0xb5, 0x00, 0x31];
/** user_identifier "GA94" and user_data_type_code of cc_data (A/53 part 4 tables 6.7, 6.9). */
const CC_DATA = [0x47, 0x41, 0x39, 0x34, 0x03];
const PROCESS_CC_DATA = 0x40;
/** An SEI NAL unit that is shorter has none: header of the message, ATSC, CC_DATA, two bytes and one triplet. */
const LEAST_SEI_BYTES = 15;
/** As much of a NAL unit is looked at: 31 triplets and what else may stand before them. */
const MOST_BYTES = 512;
/** cc_type (CTA-708 table 2). */
const FIELD_2 = 1;
const PACKET_DATA = 2;
const PACKET_START = 3;
/** The service number behind which an extended one stands (CTA-708 §6.2.1). */
const EXTENDED_SERVICE = 7;

/**
 * Which closed captions a video track carries (ATSC A/53 part 4): the channels CC1 to CC4 of CEA-608 and the services 1
 * to 63 of CTA-708. Padding, text mode and XDS are no captions. What was found once stays found.
 */
export class Captions {
  /** Bit 0 to 3: CC1 to CC4. */
  #channels = 0;
  readonly #services = new Set<number>();
  readonly #rbsp = new Uint8Array(MOST_BYTES);
  /** Bytes still to come of the DTVCC packet and of the service block in it. */
  #packetBytes = 0;
  #blockBytes = 0;
  #isExtended = false;

  /** As INSTREAM-ID names them (RFC 8216 §4.3.4.1), in order: `CC1`, `SERVICE1`. */
  get instreamIds(): string[] {
    const channels = [1, 2, 3, 4].filter((channel) => this.#channels & (1 << (channel - 1)));
    const services = [...this.#services].sort((a, b) => a - b);
    return [...channels.map((channel) => `CC${channel}`), ...services.map((service) => `SERVICE${service}`)];
  }

  /** The messages of an SEI NAL unit (ITU-T H.264 §7.3.2.3.1, H.265 §7.3.5). @param from behind its header */
  sei(bytes: Uint8Array, from: number, to: number): void {
    if (to - from < LEAST_SEI_BYTES) return;
    const length = this.#unescape(bytes, from, to);
    const rbsp = this.#rbsp;
    for (let at = 0; at + LEAST_SEI_BYTES <= length;) {
      let type = 0;
      let size = 0;
      while (at < length && rbsp[at] === 0xff) type += rbsp[at++]!;
      type += rbsp[at++]!;
      while (at < length && rbsp[at] === 0xff) size += rbsp[at++]!;
      size += rbsp[at++]!;
      const end = Math.min(length, at + size);
      if (type === REGISTERED_USER_DATA && matches(rbsp, at, end, ATSC))
        this.userData(rbsp, at + ATSC.length, end);
      at += size;
    }
  }

  /** ATSC_user_data, also what follows user_data_start_code in MPEG-2 video (A/53 part 4 §6.2.2); others are ignored. */
  userData(bytes: Uint8Array, from: number, to: number): void {
    if (!matches(bytes, from, to, CC_DATA)) return;
    const flags = from + CC_DATA.length;
    if (flags >= to || (bytes[flags]! & PROCESS_CC_DATA) === 0) return;
    // Pictures come in the order of decoding: no packet goes on where its picture ends.
    this.#packetBytes = 0;
    const count = bytes[flags]! & 0x1f;
    // em_data stands between.
    const end = Math.min(to, flags + 2 + 3 * count);
    for (let at = flags + 2; at + 3 <= end; at += 3)
      this.#triplet(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!);
  }

  #triplet(header: number, first: number, second: number): void {
    if ((header & 0xfc) !== 0xfc) return; // marker_bits, cc_valid
    const type = header & 3;
    if (type <= FIELD_2) return this.#pair(type, first, second);
    if (type === PACKET_START) {
      // packet_size_code: 0 stands for 128 bytes, this one among them.
      this.#packetBytes = (first & 0x3f || 64) * 2 - 1;
      this.#blockBytes = 0;
      this.#isExtended = false;
    } else if (type === PACKET_DATA) this.#packetByte(first);
    this.#packetByte(second);
  }

  /** A control code that addresses a caption channel (CEA-608 §8.4, §F.1.1): characters alone do not say whose they are. */
  #pair(field: number, first: number, second: number): void {
    if (!hasOddParity(first) || !hasOddParity(second)) return;
    const code = first & 0x7f;
    const argument = second & 0x7f;
    if (code < 0x10 || code > 0x1f) return;
    const isRow = argument >= 0x40 && (code & 7) !== 0;
    if (!isRow && !isCaptionMode(code, argument)) return;
    this.#channels |= 1 << (2 * field + (code & 8 ? 1 : 0));
  }

  /** A byte of a DTVCC packet: the header of a service block, or its data (CTA-708 §6.2). */
  #packetByte(byte: number): void {
    if (this.#packetBytes <= 0) return;
    this.#packetBytes--;
    if (this.#isExtended) {
      this.#isExtended = false;
      this.#serve(byte & 0x3f);
    } else if (this.#blockBytes > 0) this.#blockBytes--;
    else {
      const service = byte >> 5;
      this.#blockBytes = byte & 0x1f;
      // Behind the null block stands nothing but padding (§6.2.3).
      if (byte === 0) this.#packetBytes = 0;
      if (this.#blockBytes === 0) return;
      if (service === EXTENDED_SERVICE) this.#isExtended = true;
      else this.#serve(service);
    }
  }

  #serve(service: number): void {
    if (service > 0) this.#services.add(service);
  }

  /** Without emulation prevention (ITU-T H.264 §7.4.1); how many bytes that are. */
  #unescape(bytes: Uint8Array, from: number, to: number): number {
    let length = 0;
    let zeros = 0;
    for (let at = from; at < to && length < MOST_BYTES; at++) {
      const byte = bytes[at]!;
      if (zeros >= 2 && byte === 3) {
        zeros = 0;
        continue;
      }
      zeros = byte === 0 ? zeros + 1 : 0;
      this.#rbsp[length++] = byte;
    }
    return length;
  }
}

/** Resume Caption Loading, Roll-Up Captions 2 to 4 rows, Resume Direct Captioning, End Of Caption. */
function isCaptionMode(code: number, argument: number): boolean {
  const isMiscellaneous = (code & 0x76) === 0x14;
  const isMode = argument === 0x20 || (argument >= 0x25 && argument <= 0x27);
  return isMiscellaneous && (isMode || argument === 0x29 || argument === 0x2f);
}

function hasOddParity(byte: number): boolean {
  let bits = byte ^ (byte >> 4);
  bits ^= bits >> 2;
  return ((bits ^ (bits >> 1)) & 1) === 1;
}

function matches(bytes: Uint8Array, from: number, to: number, wanted: readonly number[]): boolean {
  if (to - from < wanted.length) return false;
  for (let n = 0; n < wanted.length; n++) if (bytes[from + n] !== wanted[n]) return false;
  return true;
}
