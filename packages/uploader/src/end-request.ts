import { ConfigError } from '@hls-uplink/runtime';
import type { Address } from './options.js';

const TIMEOUT_MS = 5000;

/** The daemon was reached and did not do it. */
export class EndRequestError extends Error {
  override readonly name = 'EndRequestError';
  readonly code = 'end-refused';
}

/**
 * Asks the running daemon to end a channel.
 * @returns what to tell the operator
 * @throws ConfigError `no-daemon`, EndRequestError
 */
export async function requestEnd({
  channel,
  http: { host, port },
  token,
}: {
  channel: string;
  http: Address;
  token?: string;
}): Promise<string> {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  let response: Response;
  try {
    response = await fetch(`http://${where}/api/channels/${encodeURIComponent(channel)}/end`, {
      method: 'POST',
      headers: { 'x-hls-uplink': '1', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new ConfigError(
      'no-daemon',
      `no hls-uploader answers at http://${where}: give --http as it was started with`,
      { cause },
    );
  }
  const { message } = (await response.json().catch(() => ({}))) as { message?: string };
  if (!response.ok) throw new EndRequestError(message ?? `http://${where} answered ${response.status}`);
  return message ?? 'done';
}
