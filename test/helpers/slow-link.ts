/** A TCP link between segmenters and an uploader that can be slow, and away. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Of what is handed on at once, bytes. */
const PIECE_BYTES = 2048;

export interface SlowLink {
  readonly port: number;
  /** From the segmenters to the uploader, all connections together; Infinity at first. */
  bytesPerSecond: number;
  /** So many have come through. */
  readonly bytes: number;
  /** Every connection breaks, and none can be made. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function slowLink(target: () => number): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  let isAway = false;
  /** When the link is free again, milliseconds. */
  let freeAt = 0;
  const server = createServer({ noDelay: true }, (near) => {
    if (isAway) return void near.destroy();
    const far = connect({ host: '127.0.0.1', port: target(), noDelay: true });
    const both = [near, far];
    for (const socket of both) {
      sockets.add(socket);
      const end = (): void => both.forEach((one) => one.destroy());
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    far.pipe(near);
    void carry(near, far).catch(() => far.destroy());
  });
  const carry = async (near: Socket, far: Socket): Promise<void> => {
    for await (const chunk of near as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        freeAt = Math.max(freeAt, performance.now()) + (1000 * piece.length) / link.bytesPerSecond;
        const waitMs = freeAt - performance.now();
        if (waitMs > 1) await delay(waitMs);
        link.bytes += piece.length;
        far.write(piece);
      }
    }
    far.end();
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const link = {
    port: (server.address() as AddressInfo).port,
    bytesPerSecond: Infinity,
    bytes: 0,
    cut: () => {
      isAway = true;
      breakAll();
    },
    mend: () => {
      isAway = false;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        breakAll();
      }),
  };
  return link;
}
