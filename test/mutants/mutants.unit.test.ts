import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

interface Mutant {
  name: string;
  rule: string;
  test: { path: string; title: string; env: Record<string, string> };
  packages: string[];
  fast: boolean;
}
interface Script {
  readMutants: () => Mutant[];
  readMutant: (file: string, text: string) => Mutant;
  apply: (name: string, folder: string, how?: '--check') => Promise<{ code: number | null; output: string }>;
}

const { readMutants, readMutant, apply } = (await import(
  join(ROOT, 'scripts/lib/mutants.js')
)) as unknown as Script;
const mutants = readMutants();

describe('the mutants', () => {
  test.each(mutants.map(({ name }) => name))('%s still applies', async (name) => {
    expect(await apply(name, ROOT, '--check')).toMatchObject({ code: 0, output: '' });
  });

  test('break each rule of the design', () => {
    const rules = new Set(mutants.map(({ rule }) => rule));
    for (const rule of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) expect(rules).toContain(String(rule));
  });

  test('change sources only, never the tests that must notice', () => {
    for (const { name, packages } of mutants) expect([name, packages.length]).not.toEqual([name, 0]);
  });

  test('have a header that says what is broken and which test says so', () => {
    const text =
      'Rule: 3\nBreaks: a thing\nTest: RUNS=4 packages/a.test.ts -t property: x\nExpect: rule 3\n\n--- a/packages/b/src/c.ts\n+++ b/packages/b/src/c.ts\n';
    expect(readMutant('03-thing.patch', text)).toEqual({
      name: '03-thing',
      rule: '3',
      breaks: 'a thing',
      test: { path: 'packages/a.test.ts', title: 'property: x', env: { RUNS: '4' } },
      expect: /rule 3/,
      packages: ['packages/b'],
      fast: true,
    });
    expect(() => readMutant('03-thing.patch', text.replace('Breaks', 'Does'))).toThrow('Breaks');
  });

  test('that no longer apply are told as such', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hls-mutant-'));
    try {
      expect((await apply(mutants[0]!.name, folder, '--check')).code).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
