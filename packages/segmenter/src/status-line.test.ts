import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createLogger, ManualClock } from '@hls-uplink/runtime';
import { BitRate } from './bit-rate.js';
import { LogLimit } from './log-limit.js';
import { StatusLine } from './status-line.js';
import { statusText } from './status-text.js';

/** What a terminal shows in the end: each line as its last clearing left it. */
const shown = (written: string): string[] =>
  written.split('\n').map((line) => line.split('\r\u001b[K').at(-1) ?? '');

function terminal(
  isTTY: boolean,
  columns = 80,
): { out: PassThrough & { isTTY: boolean; columns: number }; text: () => string } {
  const out = Object.assign(new PassThrough(), { isTTY, columns });
  return { out, text: () => String(out.read() ?? '') };
}

describe('the status line', () => {
  test('is drawn again and again, and log lines stand above it, whole', () => {
    const clock = new ManualClock();
    const { out, text } = terminal(true);
    const line = new StatusLine(out, clock);
    const logger = createLogger({ stream: line.stream });
    let n = 0;
    logger.info('before');
    line.start(() => `status ${n}`);
    n = 1;
    clock.advance(500);
    logger.info('first');
    n = 2;
    logger.info('second');
    clock.advance(500);
    line.stop();
    logger.info('after');
    expect(clock.pending).toBe(0);
    expect(shown(text())).toEqual([
      expect.stringMatching(/info {2}before$/),
      expect.stringMatching(/^\d.* info {2}first$/),
      expect.stringMatching(/^\d.* info {2}second$/),
      'status 2',
      expect.stringMatching(/info {2}after$/),
      '',
    ]);
  });

  test('never wraps', () => {
    const { out, text } = terminal(true, 20);
    const line = new StatusLine(out, new ManualClock());
    line.start(() => 'x'.repeat(100));
    line.stop();
    expect(shown(text())[0]).toBe('x'.repeat(19));
  });

  test('is not there off a terminal, where the log is JSON', () => {
    const clock = new ManualClock();
    const { out, text } = terminal(false);
    const line = new StatusLine(out, clock);
    line.start(() => 'status');
    createLogger({ stream: line.stream }).info('hello', { n: 1 });
    clock.advance(5000);
    line.stop();
    expect(JSON.parse(text())).toMatchObject({ message: 'hello', n: 1, level: 'info' });
  });
});

test('the status tells segments, bit rate, backlog and lag', () => {
  const facts = { segments: 12, bitsPerSecond: 4_912_345, backlog: 2, backlogBytes: 7_400_000, lagMs: 840 };
  expect(statusText({ ...facts, lost: 0, uploader: 'connected' })).toBe(
    '12 segments · 4.91 Mbit/s · backlog 2 (7.4 MB) · lag 0.8 s · uploader connected',
  );
  expect(statusText({ ...facts, segments: 1, backlog: 0, lost: 3, uploader: 'refused' })).toBe(
    '1 segment · 4.91 Mbit/s · backlog 0 · lag 0.8 s · 3 lost · uploader refused',
  );
});

describe('the bit rate', () => {
  test('is that of the last seconds', () => {
    const clock = new ManualClock();
    const rate = new BitRate(clock);
    expect(rate.bitsPerSecond).toBe(0);
    for (let i = 0; i < 100; i++) {
      clock.advance(100);
      rate.add(12_500);
    }
    expect(rate.bitsPerSecond / 1e6).toBeCloseTo(1, 1);
    clock.advance(2500);
    expect(rate.bitsPerSecond / 1e6).toBeCloseTo(0.5, 1);
    clock.advance(10_000);
    rate.add(0);
    clock.advance(5000);
    expect(rate.bitsPerSecond).toBe(0);
    expect(rate.bytes).toBe(1_250_000);
  });
});

describe('the limit of the log', () => {
  test('lets changes through at once, and what goes on once a minute, with how often', () => {
    const clock = new ManualClock();
    const limit = new LogLimit(clock);
    const lines: string[] = [];
    const say = (state: string): void =>
      limit.change('uploader', state, ({ repeats }) =>
        lines.push(`${state} ${JSON.stringify(repeats ?? 0)}`),
      );
    say('down');
    for (let i = 0; i < 59; i++) {
      clock.advance(1000);
      say('down');
    }
    clock.advance(1000);
    say('down');
    say('up');
    say('down');
    limit.change('another', 'down', () => lines.push('another'));
    expect(lines).toEqual(['down 0', 'down 59', 'up 0', 'down 0', 'another']);
  });
});
