/** The other side of a segmenter, of its own process: accepts whatever is announced and says that it is published. */
import { createServer } from 'node:net';
import process from 'node:process';

const ANNOUNCEMENTS = new Set(['segment', 'gap', 'leave', 'end']);

const server = createServer({ noDelay: true }, (socket) => {
  const say = (message) => socket.write(`${JSON.stringify(message)}\n`);
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const { type, session, index } of lines.map((line) => JSON.parse(line))) {
      if (type === 'hello') {
        say({ type: 'welcome', version: 1, session, accepted: [] });
        say({ type: 'channel', targetDuration: 6 });
      } else if (type === 'ping') say({ type: 'pong' });
      else if (ANNOUNCEMENTS.has(type)) {
        say({ type: 'accepted', session, index });
        say({ type: 'published', session, index });
      }
    }
  });
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
