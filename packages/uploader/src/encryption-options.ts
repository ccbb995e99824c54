import { ConfigError } from '@hls-uplink/runtime';
import { parseStoreUrl, type StoreLocation } from '@hls-uplink/store';
import * as z from 'zod';
import { checkKeyUrl, SegmentKeys } from './segment-keys.js';

/** A text of letters and digits that is shorter can be found by trying. */
const LEAST_SECRET = 32;

export const encryptionSchema = {
  encryptionSecret: z
    .string()
    .min(LEAST_SECRET, `has fewer than ${LEAST_SECRET} characters`)
    .max(1000)
    .optional()
    .describe(
      `segments are encrypted with AES-128, by keys made of this; at least ${LEAST_SECRET} characters, best at random`,
    ),
  keyRotation: z.number().int().min(1).max(1_000_000).default(60).describe('how many segments share a key'),
  keyStore: z
    .string()
    .optional()
    .describe('URL of the store that keys go to, as --store has them (default: a key server makes them)'),
  keyUrl: z
    .string()
    .max(1000)
    .regex(/^[\x21\x23-\x7e]+$/, 'has spaces, quotes or other characters that no URL has')
    .optional()
    .describe(
      'what playlists say of where a key is, with {key}, and {channel} and {rendition} where wanted (default: beside the playlist)',
    ),
};

type EncryptionOptions = z.infer<z.ZodObject<typeof encryptionSchema>>;

export interface EncryptionSettings {
  secret: string;
  /** Segments. */
  rotation: number;
  keyStore?: { url: string; location: StoreLocation };
  keyUrl?: string;
}

/**
 * Undefined when nothing is to be encrypted.
 * @param given which options were set
 * @throws ConfigError `missing-option`, `bad-option`, `bad-store`
 */
export function encryptionOf(
  { encryptionSecret: secret, keyRotation: rotation, keyStore, keyUrl }: EncryptionOptions,
  given: Partial<Record<keyof EncryptionOptions, string>>,
): EncryptionSettings | undefined {
  if (secret === undefined) {
    // Without it everything would go out clear, which nobody means who says where keys are.
    if (!given.keyRotation && !given.keyStore && !given.keyUrl) return undefined;
    const message =
      'HLS_UPLOADER_ENCRYPTION_SECRET is not set, which --key-rotation, --key-store and --key-url need; without them segments are not encrypted';
    throw new ConfigError('missing-option', message);
  }
  if (keyStore === undefined && keyUrl === undefined) {
    const message =
      'encryption needs --key-store, where the keys go, or --key-url, where a key server has them';
    throw new ConfigError('missing-option', message);
  }
  if (keyUrl !== undefined) checkKeyUrl(keyUrl);
  return {
    secret,
    rotation,
    ...(keyStore !== undefined && { keyStore: { url: keyStore, location: parseStoreUrl(keyStore) } }),
    ...(keyUrl !== undefined && { keyUrl }),
  };
}

/**
 * The text of `hls-uploader key ID`: 32 hexadecimal digits.
 * @throws ConfigError
 */
export function keyText(
  { encryptionSecret: secret, keyRotation: rotation }: EncryptionOptions,
  id: string,
): string {
  if (secret === undefined)
    throw new ConfigError('missing-option', 'HLS_UPLOADER_ENCRYPTION_SECRET is not set: keys are made of it');
  return new SegmentKeys({ secret, rotation }).byId(id).toString('hex');
}
