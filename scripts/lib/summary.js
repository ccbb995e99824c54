/**
 * Sums up jest's JSON results and failed checks: `summary.js RESULT.json… -- FAILED-CHECK…`. Names every failure, ends
 * with the one line `N passed, N failed`, and exits with 0 only when something ran and nothing failed.
 *
 * A test that was skipped did not show what it should: it counts as failed. So does a suite that could not be loaded,
 * a result file that is missing (jest was killed or did not start), and a run without any test.
 */
import { readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';

const split = process.argv.indexOf('--');
const files = process.argv.slice(2, split < 0 ? undefined : split);
const failures = split < 0 ? [] : process.argv.slice(split + 1).map((check) => `check: ${check}`);
let passed = 0;

for (const file of files) {
  const project = basename(file, '.json');
  let result;
  try {
    result = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    failures.push(`${project}: did not finish (no result in ${file})`);
    continue;
  }
  const before = failures.length;
  for (const suite of result.testResults) {
    const path = relative(process.cwd(), suite.name);
    if (suite.assertionResults.length === 0) failures.push(`${path}: could not be run`);
    for (const test of suite.assertionResults) {
      if (test.status === 'passed') passed++;
      else failures.push(`${path}: ${test.fullName}${test.status === 'failed' ? '' : ` (${test.status})`}`);
    }
  }
  if (!result.success && failures.length === before) failures.push(`${project}: jest reports a failure`);
}
if (passed === 0 && failures.length === 0) failures.push('no test ran');

for (const failure of failures) console.log(`✗ ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
