import { hkdfSync } from 'node:crypto';
import type { Key } from '@hls-uplink/hls';
import type { SegmentId } from '@hls-uplink/protocol';
import { ConfigError } from '@hls-uplink/runtime';

/** Fixed for ever: other ones would give other keys for the same names (docs/operations.md, "Encryption"). */
const SALT = 'hls-uplink AES-128';
const KEY_BYTES = 16;
const FINGERPRINT_BYTES = 4;
const KEY_ID = /^([0-9a-f]{32})-(\d{1,15})-([0-9a-f]{8})$/;

/** What one segment is encrypted by. */
export interface SegmentKey {
  /** Names the key, and tells nobody what it is. */
  keyId: string;
  key: Buffer;
  iv: Buffer;
  /** EXT-X-KEY */
  tag: Key;
}

export interface SegmentKeysOptions {
  secret: string;
  /** Segments of a session that share a key. */
  rotation: number;
  /** What EXT-X-KEY says, with {key}, {channel} and {rendition}; without it the key is beside the playlist. */
  url?: string | undefined;
}

/**
 * Keys and initialization vectors, by HKDF-SHA256 (RFC 5869) of the secret with session and index: a segment that is put
 * again has the same bytes, whichever process does it. A key's name means one key only: the session, how many
 * rotations came before, and which secret it was.
 */
export class SegmentKeys {
  readonly #fingerprint: string;

  constructor(private readonly options: SegmentKeysOptions) {
    this.#fingerprint = this.#derive('id', FINGERPRINT_BYTES).toString('hex');
  }

  of({ session, index }: SegmentId, channel: string, rendition: string): SegmentKey {
    const { rotation, url } = this.options;
    const number = Math.floor(index / rotation);
    const keyId = `${session}-${number}-${this.#fingerprint}`;
    const iv = this.#derive(`iv ${session}-${index}`);
    const places = { key: keyId, channel, rendition };
    const uri = url === undefined ? keyName(keyId) : fillIn(url, places);
    return {
      keyId,
      key: this.#key(session, number),
      iv,
      tag: { method: 'AES-128', uri, iv: iv.toString('hex').toUpperCase() },
    };
  }

  /**
   * `hls-uploader key ID`, for key servers.
   * @throws ConfigError `bad-argument`
   */
  byId(keyId: string): Buffer {
    const [, session, number, fingerprint] = KEY_ID.exec(keyId) ?? [];
    if (session === undefined) {
      const message = `${JSON.stringify(keyId.slice(0, 80))} is no name of a key: SESSION-NUMBER-SECRET, as in EXT-X-KEY`;
      throw new ConfigError('bad-argument', message);
    }
    if (fingerprint !== this.#fingerprint) {
      const message = `the key ${keyId} is of another secret (${fingerprint}); this one is ${this.#fingerprint}`;
      throw new ConfigError('bad-argument', message);
    }
    return this.#key(session, Number(number));
  }

  #key(session: string, number: number): Buffer {
    return this.#derive(`key ${session}-${number}`);
  }

  #derive(info: string, bytes = KEY_BYTES): Buffer {
    return Buffer.from(hkdfSync('sha256', this.options.secret, SALT, info, bytes));
  }
}

/** Of its object, below the channel. */
export const keyName = (keyId: string): string => `${keyId}.key`;

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** @throws ConfigError `bad-option` for a template that would give two keys one address */
export function checkKeyUrl(template: string): void {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
  const unknown = names.find((name) => !['key', 'channel', 'rendition'].includes(name));
  const rest = template.replaceAll(PLACEHOLDER, '');
  if (unknown === undefined && names.includes('key') && !/[{}]/.test(rest)) return;
  const message = `--key-url ${JSON.stringify(template)} must have {key}, and may have {channel} and {rendition}, nothing else in braces`;
  throw new ConfigError('bad-option', message);
}

function fillIn(template: string, values: Record<string, string>): string {
  return template.replaceAll(PLACEHOLDER, (whole, name: string) => values[name] ?? whole);
}
