/** An HTTP proxy in front of a store, for faults that no server produces on demand. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FaultProxy {
  readonly endpoint: string;
  /** Called for each request; what it returns true for is never forwarded and never answered. */
  swallow: (method: string, path: string) => boolean;
  /** Called for each other request; what it returns true for is answered by 503. */
  refuse: (method: string, path: string) => boolean;
  /** Called for each other request, which is forwarded when this resolves. */
  hold: (method: string, path: string) => Promise<void>;
  close(): Promise<void>;
}

/** Hands requests on as they are, signatures and Host header included. */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const forward = (incoming: IncomingMessage, answer: ServerResponse): void => {
    const { method = 'GET', url = '/' } = incoming;
    if (proxy.swallow(method, url)) return;
    if (proxy.refuse(method, url)) {
      incoming.resume();
      answer.writeHead(503, { 'content-length': 0 }).end();
      return;
    }
    void proxy.hold(method, url).then(() => send(incoming, answer));
  };
  const send = (incoming: IncomingMessage, answer: ServerResponse): void => {
    const { method, url, headers } = incoming;
    const outgoing = request({ hostname, port, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  };
  const server = createServer(forward);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow: () => false,
    refuse: () => false,
    hold: () => Promise.resolve(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
