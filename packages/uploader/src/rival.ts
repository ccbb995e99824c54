import { ownerOf, type Owner } from './channel/ownership.js';
import type { ReadBack } from './channel/reopen.js';

/** An uploader that has not written for so many target durations is not at work (HLS-RULES 5). */
const SILENT_TARGETS = 3;

/** Watches the published playlists of a channel for another uploader at work. */
export class Rival {
  #seen = { texts: '', atMs: 0 };

  constructor(private readonly writer: string) {}

  /** Who else publishes the channel, as these playlists read at `atMs` show; undefined when nobody is at work. */
  look(playlists: readonly ReadBack[], atMs: number): Owner | undefined {
    const texts = playlists.map(({ text }) => text);
    const newest = texts.flatMap((text) => ownerOf(text) ?? []).sort((a, b) => b.term - a.term)[0];
    const open = texts.filter((text) => text.includes('#EXTINF:') && !text.includes('#EXT-X-ENDLIST'));
    if (!newest || newest.writer === this.writer || open.length === 0) return undefined;
    const all = texts.join('\n');
    if (all !== this.#seen.texts) this.#seen = { texts: all, atMs };
    return atMs - this.#seen.atMs < SILENT_TARGETS * targetMs(open) ? newest : undefined;
  }
}

function targetMs(texts: readonly string[]): number {
  const targets = texts.map((text) => Number(/^#EXT-X-TARGETDURATION:(\d+)/m.exec(text)?.[1] ?? 0));
  return 1000 * Math.max(...targets);
}
