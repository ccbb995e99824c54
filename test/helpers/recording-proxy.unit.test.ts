import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from './processes.js';
import { recordingProxy, type RecordingProxy } from './recording-proxy.js';

let server: Server;
let proxy: RecordingProxy;
let accepted: Socket[];
let received: Buffer[];

beforeEach(async () => {
  accepted = [];
  received = [];
  server = createServer((socket) => {
    const at = accepted.push(socket) - 1;
    received[at] = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => (received[at] = Buffer.concat([received[at]!, chunk])));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await recordingProxy(() => (server.address() as AddressInfo).port);
});

afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

async function dial(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const gone = (socket: Socket): Promise<unknown> =>
  socket.closed ? Promise.resolve() : once(socket, 'close');

test('hands on lines and bodies as they are, whatever pieces they come in, and records them', async () => {
  const socket = await dial();
  const body = Buffer.from('{"type":\n\0not a line\n');
  const sent = Buffer.concat([
    Buffer.from('{"type":"hello","name":"ä"}\n'),
    Buffer.from(`{"type":"body","session":"s","index":3,"bytes":${body.length}}\n`),
    body,
    Buffer.from('{"type":"ping"}\n'),
  ]);
  for (const byte of sent) socket.write(Buffer.of(byte));
  await until(() => received[0]?.equals(sent), { what: 'all that was sent' });
  accepted[0]!.write('{"type":"pong"}\n');
  await until(() => proxy.record.length === 4, { what: 'four messages' });
  expect(proxy.record.map(({ from, message, bodyBytes }) => [from, message.type, bodyBytes])).toEqual([
    ['segmenter', 'hello', 0],
    ['segmenter', 'body', body.length],
    ['segmenter', 'ping', 0],
    ['uploader', 'pong', 0],
  ]);
  socket.end();
  await gone(accepted[0]!);
});

test('cuts at a message, which is not handed on', async () => {
  const socket = await dial();
  const cut = proxy.next(
    ({ message }) => message.type === 'segment',
    () => 'cut',
  );
  socket.write('{"type":"hello"}\n{"type":"segment","session":"s","index":0,"path":"/x"}\n{"type":"ping"}\n');
  expect(await cut).toMatchObject({ delivered: false, connection: 0 });
  await gone(socket);
  expect(received[0]?.toString() ?? '').not.toContain('segment');
  expect(proxy.record).toHaveLength(2);

  // The next one is let through.
  const again = await dial();
  again.write('{"type":"segment","session":"s","index":0,"path":"/x"}\n');
  await until(() => proxy.record.length === 3, { what: 'it comes again' });
  expect(proxy.record[2]).toMatchObject({ delivered: true, connection: 1 });
});

test('cuts within a body', async () => {
  const socket = await dial();
  const cut = proxy.next(
    ({ message }) => message.type === 'body',
    () => ({ cutBodyAfter: 4 }),
  );
  socket.write('{"type":"body","session":"s","index":0,"bytes":10}\n0123456789{"type":"ping"}\n');
  const said = await cut;
  await gone(socket);
  expect(said.bodyBytes).toBe(4);
  expect(received[0]?.toString() ?? '').not.toContain('45');
  expect(proxy.record).toHaveLength(1);
});

test('names the files that were gone before an answer', async () => {
  const socket = await dial();
  const here = import.meta.filename;
  socket.write(`{"type":"segment","session":"s","index":0,"path":"${here}"}\n`);
  socket.write('{"type":"segment","session":"s","index":1,"path":"/nowhere"}\n');
  await until(() => proxy.record.length === 2, { what: 'two segments' });
  accepted[0]!.write(
    '{"type":"welcome","session":"s","settled":0}\n{"type":"published","session":"s","index":1}\n',
  );
  accepted[0]!.write('{"type":"pong"}\n');
  await until(() => proxy.record.length === 5, { what: 'the answers' });
  expect(proxy.record.slice(2).map(({ missingFiles }) => missingFiles)).toEqual([
    ['/nowhere'],
    ['/nowhere'],
    [],
  ]);
});
