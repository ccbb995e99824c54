/** The segmenter on a terminal: the real process on a pseudo-terminal, which `script` makes. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { cleanUps } from './helpers/clean-ups.js';
import { Live, SEGMENTER } from './helpers/live.js';
import { start, until } from './helpers/processes.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { faultless } from './helpers/verdict.js';
import { ended, expectOnlyGaps, watch } from './watcher/index.js';

const CTRL_C = '\u0003';
const CLEAR = '\r\u001b[K';
const STATUS =
  /^(\d+) segments? · \d+\.\d\d Mbit\/s · backlog \d+( \(\d+\.\d MB\))? · lag \d+\.\d s · uploader connected/;
/** Without sound, whose last part would come later than the key. */
const ENCODER =
  '-v error -nostdin -re -f lavfi -i testsrc2=s=256x144:r=25 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -flush_packets 1 -f mpegts -y';

test('a status line is drawn in its place, and Ctrl-C ends the stream', async () => {
  const live = await Live.open({ renditions: [{ name: 'main' }] });
  cleanUps.push(() => live.close());
  await live.startUploader();
  const input = join(live.folder, 'input');
  expect(spawnSync('mkfifo', [input]).status).toBe(0);
  const command = [
    ...['exec', process.execPath, SEGMENTER, '--uploader', `127.0.0.1:${live.port}`],
    ...['--spool', join(live.folder, 'spool'), '--channel', 'live', '--rendition', 'main'],
    ...['--segment-duration', '2', input],
  ];
  const terminal = await start('script', ['-qfec', command.join(' '), '/dev/null'], {
    name: 'segmenter on a terminal',
    stdin: 'pipe',
    stdout: 'pipe',
    env: { SHELL: '/bin/sh', TERM: 'xterm' },
  });
  let screen = '';
  terminal.stdout!.setEncoding('utf8').on('data', (text: string) => (screen += text));
  await start('ffmpeg', [...ENCODER.split(' '), input]);

  await live.published();
  const watcher = watch({ url: live.url, keep: join(live.folder, 'seen') });
  cleanUps.push(() => watcher.stop().catch(() => undefined));
  /** How many segments the line said at each drawing. */
  const drawn = (): number[] =>
    screen.split(CLEAR).flatMap((text) => {
      const said = STATUS.exec(text);
      return said ? [Number(said[1])] : [];
    });
  await until(() => (drawn().at(-1) ?? 0) >= 3, { what: 'three segments on the screen', timeoutMs: 20_000 });
  terminal.stdin!.write(CTRL_C);
  expect(await terminal.exited).toEqual({ code: 0, signal: null });
  await watcher.until(({ renditions }) => renditions.length === 1 && renditions.every(ended), {
    what: 'ENDLIST',
    timeoutMs: 10_000,
  });
  const report = await faultless(watcher);
  expectOnlyGaps(report, () => false);

  // Several times a segment, and the last drawing stands.
  const counts = drawn();
  expect(counts.length).toBeGreaterThan(6);
  expect(counts).toEqual([...counts].sort((a, b) => a - b));
  expect(counts.at(-1)).toBe(report.renditions[0]?.segments.length);
  // What the log says at the end stands below the line.
  const last = screen.split(CLEAR).at(-1) ?? '';
  expect(last).toMatch(/^\d+ segments · .*uploader connected *\r\n/);
  expect(last).toMatch(
    new RegExp(
      ` done .*segments=${counts.at(-1)} .*droppedPackets=\\d+ .*published=${counts.at(-1)} .*\r\n$`,
    ),
  );
  expectNoStackTrace(live.uploader!, {
    name: terminal.name,
    lines: screen.split(/\r?\n/).map((text) => ({ from: 'stdout', text, at: 0 })),
  });
}, 60_000);
