import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** The process of `peer.js`. */
export class Peer {
  #process;

  static async start() {
    const child = fork(join(import.meta.dirname, 'peer.js'));
    const [port] = await once(child, 'message');
    return new Peer(child, port);
  }

  constructor(child, port) {
    this.#process = child;
    this.address = `127.0.0.1:${port}`;
  }

  stop() {
    if (this.#process.connected) this.#process.disconnect();
  }
}
