/**
 * Compiles the packages given (default: all), then puts `hls-segmenter` with its libraries into a few files: one by one
 * its 230 modules take half of the start and 8 MB.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SEGMENTER = join(ROOT, 'packages/segmenter');

const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
const projects = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [tsc, '--build', ...projects], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
if (projects.length > 0 && !projects.includes('packages/segmenter')) process.exit();

const outdir = join(SEGMENTER, 'bundle');
// The names of the late parts change with their content.
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: [join(SEGMENTER, 'dist/index.js')],
  outdir,
  bundle: true,
  // What is loaded late stays apart.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'eof',
  // The libraries that are no ES modules ask for Node's own by `require`.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  logLevel: 'warning',
});
