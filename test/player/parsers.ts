/** Other people's parsers as judges of playlists. */
import { createRequire } from 'node:module';
import { parse, setOptions } from 'hls-parser';

interface M3u8Parser {
  on(event: 'warn' | 'error' | 'info', listener: (event: { message: string }) => void): void;
  push(text: string): void;
  end(): void;
  manifest: { segments: unknown[]; playlists?: unknown[] };
}

// It brings no types.
const { Parser } = createRequire(import.meta.url)('m3u8-parser') as { Parser: new () => M3u8Parser };

/** What hls-parser (strict) and m3u8-parser say against a playlist; nothing when both take it. */
export function complaintsOfParsers(playlist: string): string[] {
  const complaints: string[] = [];
  const listed = playlist.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#')).length;
  const count = (parser: string, found: number): void => {
    if (found !== listed) complaints.push(`${parser}: found ${found} of ${listed} URIs`);
  };
  setOptions({ strictMode: true, silent: true });
  try {
    const parsed = parse(playlist);
    const found = parsed.isMasterPlaylist
      ? parsed.variants.filter(({ isIFrameOnly }) => !isIFrameOnly)
      : parsed.segments;
    count('hls-parser', found.length);
  } catch (error) {
    complaints.push(`hls-parser: ${(error as Error).message}`);
  }
  const parser = new Parser();
  for (const event of ['warn', 'error'] as const)
    parser.on(event, ({ message }) => complaints.push(`m3u8-parser: ${message}`));
  parser.push(playlist);
  parser.end();
  count('m3u8-parser', parser.manifest.playlists?.length ?? parser.manifest.segments.length);
  return complaints;
}

/** Whether both parsers take it. */
export function acceptedByParsers(playlist: string): boolean {
  return complaintsOfParsers(playlist).length === 0;
}
