import { describe, expect, test } from '@jest/globals';
import { createDecipheriv } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encryptInPlace, withEncryptedCopy } from './aes-128.js';
import { encryptedBytes } from './channel/encryption.js';

const by = {
  key: Buffer.from('2b7e151628aed2a6abf7158809cf4f3c', 'hex'),
  iv: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
};
/** More than the cipher is given at a time. */
const LARGE = 1024 * 1024;

async function encrypted(plain: Buffer): Promise<Buffer> {
  const buffer = Buffer.alloc(encryptedBytes(plain.length));
  plain.copy(buffer);
  await encryptInPlace(buffer, plain.length, by);
  return buffer;
}

function decrypted(bytes: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-cbc', by.key, by.iv);
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

describe('AES-128', () => {
  test('in cipher block chaining (NIST SP 800-38A, F.2.1)', async () => {
    const plain = '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51';
    const result = await encrypted(Buffer.from(plain, 'hex'));
    expect(result.subarray(0, 32).toString('hex')).toBe(
      '7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2',
    );
    expect(result).toHaveLength(48);
  });

  test.each([1, 15, 16, 17, 188, LARGE - 1, LARGE, LARGE + 1])(
    '%i bytes, padded to a block',
    async (size) => {
      const plain = Buffer.alloc(size, 'a line of a few bytes');
      const result = await encrypted(plain);
      expect(result.length % 16).toBe(0);
      expect(result.length - size).toBeGreaterThanOrEqual(1);
      expect(result.length - size).toBeLessThanOrEqual(16);
      expect(decrypted(result).equals(plain)).toBe(true);
    },
  );

  test('of a file, as a copy that goes in the end', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aes-'));
    const plain = Buffer.alloc(100_001, 'file');
    const file = join(folder, 'plain.ts');
    await writeFile(file, plain);
    const copy = await withEncryptedCopy(file, folder, by, (path) => readFile(path));
    expect(copy.equals(await encrypted(plain))).toBe(true);
    const failed = withEncryptedCopy(file, folder, by, () => Promise.reject(new Error('refused')));
    await expect(failed).rejects.toThrow('refused');
    expect(await readdir(folder)).toEqual(['plain.ts']);
    await rm(folder, { recursive: true });
  });
});
