import { describe, expect, test } from '@jest/globals';
import { checkKeyUrl, SegmentKeys } from './segment-keys.js';

const secret = 'a secret of at least 32 characters';
const session = '0123456789abcdef0123456789abcdef';
const keysOf = (more: { rotation?: number; secret?: string; url?: string } = {}): SegmentKeys =>
  new SegmentKeys({ secret, rotation: 2, ...more });

/** By `openssl kdf … HKDF` and by Python's hmac, from what docs/operations.md says; they hold for ever. */
describe('keys and vectors', () => {
  test.each([
    [4, 'cf719430332aaea2d6818fc167dd581e', 'caeeec8421019b3583b799e6b5c9bbc0'],
    [5, 'cf719430332aaea2d6818fc167dd581e', 'a31cee8c257b7f4369d0f3a5fbeba7ff'],
  ])('of the segment %i', (index, key, iv) => {
    const found = keysOf().of({ session, index }, 'news', 'main');
    expect(found.key.toString('hex')).toBe(key);
    expect(found.iv.toString('hex')).toBe(iv);
    expect(found.keyId).toBe(`${session}-2-c010f0e1`);
    expect(found.tag).toEqual({ method: 'AES-128', uri: `${found.keyId}.key`, iv: iv.toUpperCase() });
  });

  test('by the name of the key, whatever the rotation is now', () => {
    expect(keysOf({ rotation: 7 }).byId(`${session}-0-c010f0e1`).toString('hex')).toBe(
      '308162df5daceb3b7a9000ffe154292d',
    );
    const last = keysOf().of({ session, index: 99 }, 'news', 'main');
    expect(keysOf().byId(last.keyId)).toEqual(last.key);
  });

  test.each(['', 'x', `${session}-0`, `${session}-01x-c010f0e1`, `${session}-0-c010f0e1.key`])(
    '%j is no name of a key',
    (id) => expect(() => keysOf().byId(id)).toThrow('is no name of a key'),
  );

  test('another secret has other keys under other names', () => {
    const other = keysOf({ secret: secret.toUpperCase() });
    const [ours, theirs] = [keysOf(), other].map((keys) => keys.of({ session, index: 0 }, 'news', 'main'));
    expect(theirs!.keyId).not.toBe(ours!.keyId);
    expect(() => other.byId(ours!.keyId)).toThrow('is of another secret (c010f0e1)');
  });

  test('no two segments share a vector, nor two rotations or sessions a key', () => {
    const sessions = [session, session.replace('0', 'f')];
    const all = sessions.flatMap((one) =>
      Array.from({ length: 50 }, (_, index) => keysOf().of({ session: one, index }, 'news', 'main')),
    );
    expect(new Set(all.map(({ iv }) => iv.toString('hex'))).size).toBe(100);
    expect(new Set(all.map(({ key }) => key.toString('hex'))).size).toBe(50);
    expect(new Set(all.map(({ keyId, key }) => keyId + key.toString('hex'))).size).toBe(50);
  });
});

describe('--key-url', () => {
  test('is filled in', () => {
    const url = 'https://keys.example/{channel}/{rendition}/k?id={key}&again={key}';
    const { keyId, tag } = keysOf({ url }).of({ session, index: 0 }, 'sport/one', 'low');
    expect(tag).toMatchObject({
      uri: `https://keys.example/sport/one/low/k?id=${keyId}&again=${keyId}`,
    });
  });

  test.each(['https://keys.example/{key}', '{key}.key', '/keys/{channel}/{key}'])('%s', (url) => {
    expect(() => checkKeyUrl(url)).not.toThrow();
  });

  test.each([
    'https://keys.example/key',
    'https://k/{channel}',
    '{key}{other}',
    '{key}{',
    '{{key}}',
    '{ key }',
  ])('%s is refused', (url) => expect(() => checkKeyUrl(url)).toThrow(/--key-url .* must have \{key\}/));
});
