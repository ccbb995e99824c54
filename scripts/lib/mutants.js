/**
 * Shows that the tests notice when a rule of the design is broken: `mutants.js [--fast] [--list] [PATTERN…]`.
 *
 * Each `test/mutants/NN-what.patch` breaks one rule on purpose. In a copy of the working tree the test that its header
 * names must pass, and fail once the patch is applied: by an assertion whose text its header names, not because
 * something does not compile. The last line is `N passed, N failed`; a mutant that was caught has passed.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = 'test/mutants';
/** The longest that one test may take, minutes; what does not end has shown nothing. */
const MINUTES = { fast: 3, e2e: 6 };
/** What is no part of the source, or is made from it. */
const LEFT_OUT = new Set(['node_modules', '.git', 'bundle', 'dist', 'dist-test', 'artifacts']);
const FIELDS = ['Rule', 'Breaks', 'Test', 'Expect'];

/**
 * @typedef {object} Mutant
 * @property {string} name of the file, without `.patch`
 * @property {string} rule what of DESIGN.md it breaks: a number of "Rules that are never broken", or words
 * @property {string} breaks how
 * @property {{ path: string, title: string, env: Record<string, string> }} test what must fail
 * @property {RegExp} expect what the failure must say
 * @property {string[]} packages what it changes, as folders
 * @property {boolean} fast whether the test runs on the sources; an end-to-end test needs the build
 */

/** @returns {Mutant[]} in order of their names. @throws Error when a header lacks a field */
export function readMutants(root = ROOT) {
  const files = readdirSync(join(root, FOLDER)).filter((file) => file.endsWith('.patch'));
  return files.sort().map((file) => readMutant(file, readFileSync(join(root, FOLDER, file), 'utf8')));
}

/**
 * The header is the text before the diff: `Field: value`, one a line. A test is a path, perhaps with variables before it
 * and the title of the test behind it: `CHANNEL_RUNS=40 packages/…/reduce.test.ts -t property`.
 *
 * @param {string} file
 * @param {string} text
 * @returns {Mutant}
 */
export function readMutant(file, text) {
  const [header = ''] = text.split(/^--- /m);
  const [rule, breaks, test, expect] = FIELDS.map((field) => {
    const value = new RegExp(`^${field}: (.+)$`, 'm').exec(header)?.[1]?.trim();
    if (!value) throw new Error(`${FOLDER}/${file} has no line "${field}: …" before its diff`);
    return value;
  });
  const [command, title = ''] = test.split(' -t ');
  const words = command.split(' ');
  const path = words.pop();
  const env = Object.fromEntries(words.map((word) => word.split('=')));
  const fast = !path.endsWith('.e2e.test.ts');
  const packages = [
    ...new Set([...text.matchAll(/^\+\+\+ b\/(packages\/[^/]+)/gm)].map(([, folder]) => folder)),
  ];
  const name = file.replace(/\.patch$/, '');
  return { name, rule, breaks, test: { path, title, env }, expect: new RegExp(expect), packages, fast };
}

/**
 * A copy of the working tree as it is, to break. The installed packages are those of the tree; its own packages are not.
 *
 * @param {string} folder
 */
export function copyTree(folder) {
  const isSource = (path) =>
    !path.split('/').some((part) => LEFT_OUT.has(part) || part.endsWith('.tsbuildinfo'));
  for (const entry of readdirSync(ROOT)) {
    if (!isSource(entry)) continue;
    cpSync(join(ROOT, entry), join(folder, entry), {
      recursive: true,
      filter: (from) => isSource(relative(ROOT, from)),
    });
  }
  linkModules('node_modules', folder);
  for (const name of readdirSync(join(ROOT, 'packages')))
    linkModules(`packages/${name}/node_modules`, folder);
}

function linkModules(path, folder) {
  let entries;
  try {
    entries = readdirSync(join(ROOT, path));
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  mkdirSync(join(folder, path), { recursive: true });
  for (const entry of entries) {
    if (entry !== '@hls-uplink') symlinkSync(join(ROOT, path, entry), join(folder, path, entry));
  }
  if (!entries.includes('@hls-uplink')) return;
  // These must lead to the copies.
  cpSync(join(ROOT, path, '@hls-uplink'), join(folder, path, '@hls-uplink'), {
    recursive: true,
    verbatimSymlinks: true,
  });
}

/**
 * @param {string[]} command
 * @param {{ cwd: string, env?: Record<string, string>, minutes?: number }} options
 * @returns {Promise<{ code: number | null, output: string, timedOut: boolean }>}
 */
function run([program, ...args], { cwd, env = {}, minutes = 5 }) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    let timedOut = false;
    const kill = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It has ended by itself.
      }
    };
    const stopped = () => kill('SIGKILL');
    process.once('exit', stopped);
    const timer = setTimeout(() => {
      timedOut = true;
      kill('SIGKILL');
    }, minutes * 60_000);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      clearTimeout(timer);
      process.off('exit', stopped);
      resolve({ code, output, timedOut });
    });
  });
}

/**
 * @param {string} name
 * @param {string} folder
 * @param {'--check' | '--reverse'} [how]
 */
export function apply(name, folder, how) {
  const args = ['apply', ...(how ? [how] : []), join(ROOT, FOLDER, `${name}.patch`)];
  // Outside a repository git takes paths as they are.
  return run(['git', ...args], { cwd: folder, env: { GIT_CEILING_DIRECTORIES: join(folder, '..') } });
}

const build = (cwd, projects = []) => run([process.execPath, 'scripts/build.js', ...projects], { cwd });

/** @returns {Promise<{ code: number | null, output: string, timedOut: boolean, failed: number, passed: number }>} */
async function runTest({ test: { path, title, env }, fast }, cwd) {
  const json = join(cwd, 'mutant-result.json');
  rmSync(json, { force: true });
  const result = await run(
    [
      process.execPath,
      '--experimental-vm-modules',
      '--no-warnings=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      `--selectProjects=${fast ? 'unit' : 'e2e'}`,
      '--runInBand',
      '--ci',
      `--runTestsByPath`,
      path,
      ...(title ? ['--testNamePattern', title] : []),
      '--json',
      `--outputFile=${json}`,
    ],
    { cwd, env, minutes: fast ? MINUTES.fast : MINUTES.e2e },
  );
  const tests = { failed: 0, passed: 0 };
  try {
    const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(json, 'utf8'));
    Object.assign(tests, { failed: numFailedTests, passed: numPassedTests });
  } catch {
    // jest did not come so far; its exit code tells.
  }
  return { ...result, ...tests };
}

/** What is wrong with the mutant or the tests; undefined when it was caught. */
async function judge(mutant, folder) {
  const applied = await apply(mutant.name, folder, undefined);
  if (applied.code !== 0) return `the patch no longer applies: ${applied.output.trim()}`;
  try {
    const built = await build(folder, mutant.fast ? mutant.packages : []);
    if (built.code !== 0) return `it does not compile: ${built.output.trim().split('\n')[0]}`;
    const tested = await runTest(mutant, folder);
    if (tested.timedOut) return 'its test did not end';
    if (tested.failed === 0) return tested.code === 0 ? 'its test passes' : 'its test could not be run';
    if (!mutant.expect.test(tested.output)) {
      const said = /Cause:[\s\S]{0,800}|●[\s\S]{0,800}/.exec(tested.output)?.[0] ?? tested.output.slice(-800);
      return `its test fails, but does not say ${mutant.expect}:\n${said}`;
    }
    return undefined;
  } finally {
    await apply(mutant.name, folder, '--reverse');
  }
}

const testName = ({ test: { path, title } }) => `${path}${title ? ` -t ${title}` : ''}`;
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(0)} s`.padStart(6);

async function main() {
  const { values, positionals } = parseArgs({
    options: { fast: { type: 'boolean' }, list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(
      'scripts/mutants [--fast] [--list] [PATTERN…]\n' +
        '  Breaks each rule of the design on purpose, in a copy of the tree, and shows that a test fails.\n' +
        '  --fast    only those that tests on the sources catch; --list  what there is\n' +
        '  PATTERN   only patches in whose name it stands',
    );
    return;
  }
  const mutants = readMutants().filter(
    ({ name, fast }) =>
      (fast || !values.fast) &&
      (positionals.length === 0 || positionals.some((pattern) => name.includes(pattern))),
  );
  if (values.list) {
    for (const mutant of mutants) console.log(`${mutant.name.padEnd(34)} ${mutant.rule}: ${mutant.breaks}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'hls-mutants-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  copyTree(folder);
  let passed = 0;
  let failed = 0;
  const tell = (fine, name, time, text) => {
    if (fine) passed++;
    else failed++;
    console.log(`${fine ? '✓' : '✗'} ${name.padEnd(34)} ${time}  ${text}`);
  };

  const started = Date.now();
  const built = await build(folder);
  if (built.code !== 0) {
    tell(false, 'build', seconds(started), built.output.trim().split('\n')[0]);
  } else {
    const tests = new Map(mutants.map((mutant) => [JSON.stringify(mutant.test), mutant]));
    for (const mutant of tests.values()) {
      const since = Date.now();
      const { code, passed: fine } = await runTest(mutant, folder);
      if (code !== 0 || fine === 0) tell(false, 'unbroken', seconds(since), `${testName(mutant)} fails`);
      else console.log(`· ${'unbroken'.padEnd(34)} ${seconds(since)}  ${testName(mutant)} passes`);
    }
    for (const mutant of mutants) {
      const since = Date.now();
      const problem = await judge(mutant, folder);
      tell(!problem, mutant.name, seconds(since), problem ?? `${mutant.rule}: ${mutant.breaks}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) await main();
