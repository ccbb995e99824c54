import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const script = join(import.meta.dirname, '../scripts/lib/summary.js');

interface Summary {
  code: number;
  lines: string[];
}

const summarise = (...args: string[]): Promise<Summary> =>
  new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], (error, stdout) => {
      resolve({ code: error ? Number(error.code) : 0, lines: stdout.trimEnd().split('\n') });
    });
  });

describe('the summary of a test run', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hls-summary-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** As `jest --json` writes it, as far as it is read. */
  async function result(name: string, statuses: string[], success = true): Promise<string> {
    const file = join(folder, `${name}.json`);
    const assertionResults = statuses.map((status, at) => ({ status, fullName: `test ${at}` }));
    const testResults = [{ name: join(process.cwd(), `${name}.test.ts`), assertionResults }];
    await writeFile(file, JSON.stringify({ success, testResults }));
    return file;
  }

  test('sums the projects up', async () => {
    const files = [await result('unit', ['passed', 'passed']), await result('e2e', ['passed'])];
    expect(await summarise(...files, '--')).toEqual({ code: 0, lines: ['3 passed, 0 failed'] });
  });

  test.each(['failed', 'pending', 'todo', 'skipped'])('%s is a failure, and named', async (status) => {
    const { code, lines } = await summarise(await result('unit', ['passed', status]), '--');
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe('1 passed, 1 failed');
    expect(lines[0]).toContain('unit.test.ts: test 1');
  });

  test('a suite that could not be loaded, a missing result, and a failure that no test explains', async () => {
    const broken = await result('broken', [], false);
    const odd = await result('odd', ['passed'], false);
    const { code, lines } = await summarise(broken, odd, join(folder, 'none.json'), '--');
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe('1 passed, 3 failed');
    expect(lines.slice(0, -1).join('\n')).toMatch(
      /broken\.test\.ts: could not be run\n.*odd: jest.*\n.*none: did not/,
    );
  });

  test('failed checks are named and counted', async () => {
    const { code, lines } = await summarise(await result('unit', ['passed']), '--', 'Build', 'Lint');
    expect({ code, lines }).toEqual({
      code: 1,
      lines: ['✗ check: Build', '✗ check: Lint', '1 passed, 2 failed'],
    });
  });

  test('a run without any test is a failure', async () => {
    const file = join(folder, 'unit.json');
    await writeFile(file, JSON.stringify({ success: true, testResults: [] }));
    expect(await summarise(file, '--')).toEqual({ code: 1, lines: ['✗ no test ran', '0 passed, 1 failed'] });
  });
});
