/** One HTTP request of a viewer. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface Question {
  method: 'GET' | 'HEAD';
  headers: Record<string, string>;
}

export interface Answer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Uint8Array;
  /** The body is as long as it said it would be. */
  complete: boolean;
}

/** Rejects when no answer came: refused, reset before the header, silent for too long. */
export type Transfer = (url: string, question: Question) => Promise<Answer>;

const silenceMs = 10_000;

/** Over kept-alive connections, as players do; one that the server closed meanwhile is tried once more on a new one. */
export function httpTransfer(): Transfer {
  const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  const ask = (url: string, { method, headers }: Question): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const secure = url.startsWith('https:');
      const send = secure ? httpsRequest : httpRequest;
      const request = send(
        url,
        { method, headers, agent: secure ? agents.https : agents.http },
        (response) => {
          const chunks: Buffer[] = [];
          const finish = (): void => {
            const body = Buffer.concat(chunks);
            const declared = response.headers['content-length'];
            const whole = method === 'HEAD' || declared === undefined || Number(declared) === body.length;
            resolve({
              status: response.statusCode ?? 0,
              headers: Object.fromEntries(Object.entries(response.headers).map(([k, v]) => [k, String(v)])),
              body,
              complete: response.complete && whole,
            });
          };
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', finish);
          response.on('error', finish);
        },
      );
      request.setTimeout(silenceMs, () => request.destroy(new Error(`nothing came for ${silenceMs} ms`)));
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (request.reusedSocket && error.code === 'ECONNRESET') resolve(ask(url, { method, headers }));
        else reject(error);
      });
      request.end();
    });
  return ask;
}
