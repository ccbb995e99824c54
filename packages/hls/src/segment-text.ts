import { parseKey } from './key.js';
import { linesOf, type ParseLimits } from './lines.js';

/** Tags about one segment that can stand in another version as they are. */
const OWN = new Set([
  'EXTINF',
  'EXT-X-PROGRAM-DATE-TIME',
  'EXT-X-DATERANGE',
  'EXT-X-KEY',
  'EXT-X-DISCONTINUITY',
  'EXT-X-GAP',
  'EXT-X-BITRATE',
]);

/**
 * The entries of a media playlist as they stand in its text, in their order, each without a newline at its end: for who goes
 * on with a playlist and may not change what it lists. Tags that are not known are left out. EXT-X-KEY, which holds until the
 * next, is repeated in each that it holds for, so that any of them can become the first.
 * @param text that `parseMediaPlaylist` takes
 * @throws PlaylistError when it does not
 */
export function segmentTexts(text: string, limits: ParseLimits = {}): string[] {
  const texts: string[] = [];
  let own: string[] = [];
  let key: string | undefined;
  let isKeyed = false;
  for (const line of linesOf(text, limits)) {
    if (line.kind === 'tag' && OWN.has(line.name)) {
      const tag = line.value === '' ? `#${line.name}` : `#${line.name}:${line.value}`;
      own.push(tag);
      if (line.name !== 'EXT-X-KEY') continue;
      isKeyed = true;
      key = parseKey(line.value, line.number).method === 'NONE' ? undefined : tag;
    } else if (line.kind === 'uri') {
      const needsKey = key !== undefined && !isKeyed && !own.includes('#EXT-X-GAP');
      texts.push([...(needsKey ? [key] : []), ...own, line.uri].join('\n'));
      own = [];
      isKeyed = false;
    }
  }
  return texts;
}
