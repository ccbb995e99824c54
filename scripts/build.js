/**
 * Compiles the packages given (default: all), then puts `hls-segmenter` with its libraries into one file, and beside it its
 * byte code: one by one its 230 modules take half of the start and 8 MB, and compiling them an eighth of the rest.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SEGMENTER = join(ROOT, 'packages/segmenter');

/** What winston would tell of itself, were it asked: never, and it takes a hundred kilobytes to load. */
const withoutDiagnostics = {
  name: 'without-diagnostics',
  setup(build) {
    build.onResolve({ filter: /^@dabh\/diagnostics$/ }, ({ path }) => ({ path, namespace: 'silent' }));
    build.onLoad({ filter: /./, namespace: 'silent' }, () => ({
      contents: 'module.exports = () => () => undefined',
    }));
  },
};

const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
const projects = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [tsc, '--build', ...projects], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
if (projects.length > 0 && !projects.includes('packages/segmenter')) process.exit();

const bundle = join(SEGMENTER, 'bundle');
rmSync(bundle, { recursive: true, force: true });
await build({
  entryPoints: [join(SEGMENTER, 'dist/index.js')],
  outfile: join(bundle, 'index.js'),
  bundle: true,
  // The only kind of module whose byte code can be kept; `bin/bundle.js` calls it.
  format: 'cjs',
  banner: { js: '(function (exports, require, module, url) {' },
  footer: { js: '})' },
  define: { 'import.meta.url': 'url' },
  platform: 'node',
  target: 'node20',
  supported: { 'dynamic-import': false },
  // Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'external',
  plugins: [withoutDiagnostics],
  logLevel: 'warning',
});

// In a process of its own: the flags, and what has been called, are a process's.
const rehearsal = spawnSync(process.execPath, [join(ROOT, 'scripts/lib/rehearse.js')], { stdio: 'inherit' });
process.exit(rehearsal.status ?? 1);
