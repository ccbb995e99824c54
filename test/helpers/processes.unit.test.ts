import { describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import { freePort, start, stopAll, until } from './processes.js';

const node = process.execPath;

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('start', () => {
  test('keeps the lines of both outputs and says how it ended', async () => {
    const child = await start('sh', ['-c', 'echo out; echo err >&2; printf "no newline"; exit 3']);
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect(child.lines.map(({ from, text }) => `${from} ${text}`).sort()).toEqual([
      'stderr err',
      'stdout no newline',
      'stdout out',
    ]);
    expect(child.running).toBe(false);
  });

  test('waits for a line that came already, and for one to come', async () => {
    const child = await start('sh', ['-c', 'echo port 80; read line; echo "got $line"'], { stdin: 'pipe' });
    expect((await child.waitForLine(/port (\d+)/))[1]).toBe('80');
    expect((await child.waitForLine(/port (\d+)/g))[1]).toBe('80');
    child.stdin?.end('hello\n');
    await child.waitForLine(/got hello/);
  });

  test('a line that never comes is an error that shows the last lines', async () => {
    const child = await start('sh', ['-c', 'echo something else'], { name: 'server' });
    await expect(child.waitForLine(/ready/)).rejects.toThrow(/server: ended.*ready.*\n.*something else/s);
    const silent = await start('sleep', ['60']);
    await expect(silent.waitForLine(/ready/, 50)).rejects.toThrow(/50 ms passed.*printed nothing/);
  });

  test('signals the whole group, children of a shell included', async () => {
    const child = await start('sh', ['-c', 'sleep 60 & echo child $!; wait']);
    const grandchild = Number((await child.waitForLine(/child (\d+)/))[1]);
    child.kill('SIGKILL');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await until(() => !alive(grandchild), { what: 'the end of the grandchild' });
    child.kill('SIGKILL');
  });

  test('stop kills what does not listen to SIGTERM', async () => {
    const child = await start(node, [
      '-e',
      "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')",
    ]);
    await child.waitForLine(/up/);
    expect(await child.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('a command that does not exist is an error', async () => {
    await expect(start('/no/such/command', [])).rejects.toThrow(/cannot start \/no\/such\/command/);
  });

  test('stopAll leaves nothing behind', async () => {
    const child = await start('sh', ['-c', 'sleep 60 & echo child $!; exit 0']);
    const orphan = Number((await child.waitForLine(/child (\d+)/))[1]);
    expect(alive(orphan)).toBe(true);
    await stopAll();
    await until(() => !alive(orphan), { what: 'the end of the orphan' });
  });
});

test('freePort can be listened on', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => server.close(resolve));
});

describe('until', () => {
  test('returns the first truthy value', async () => {
    let asked = 0;
    expect(await until(() => (asked += 1) === 3 && 'done', { what: 'three', intervalMs: 1 })).toBe('done');
  });

  test('names what it waited for, with the last error as cause', async () => {
    const refuse = (): never => {
      throw new Error('refused');
    };
    await expect(until(refuse, { what: 'the server', timeoutMs: 5, intervalMs: 1 })).rejects.toMatchObject({
      message: 'waited 5 ms in vain for the server',
      cause: new Error('refused'),
    });
  });
});
