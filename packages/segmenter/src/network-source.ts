import { HttpFeed } from './http-feed.js';
import { parseInputUrl, type NetworkInput } from './input-url.js';
import { LiveSource, type Feed, type LiveSourceOptions } from './live-source.js';
import { TcpFeed } from './tcp-feed.js';
import { UdpFeed, type FeedOptions } from './udp-feed.js';

/**
 * The source that a URL names; nothing is connected yet.
 * @throws ConfigError `input-url`, `input-srt`
 */
export async function openNetworkSource(url: string, options: LiveSourceOptions): Promise<LiveSource> {
  const input = parseInputUrl(url);
  const { name, ignored } = input;
  if (ignored.length > 0) {
    options.logger.warn(`parameters that mean nothing here are ignored: ${ignored.join(', ')}`, {
      input: name,
    });
  }
  return new LiveSource(await feedOf(input, options), options);
}

async function feedOf(input: NetworkInput, options: FeedOptions): Promise<Feed> {
  switch (input.kind) {
    case 'udp':
      return new UdpFeed(input, options);
    case 'tcp':
      return new TcpFeed(input, options);
    case 'http':
      return new HttpFeed(input, options);
    case 'srt': {
      const { SrtFeed } = await import('./srt-feed.js');
      return SrtFeed.open(input, options);
    }
  }
}
