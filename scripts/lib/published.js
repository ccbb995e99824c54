import { get } from 'node:http';

/** What is published at `url`, as text, or undefined while there is nothing. */
export function fetchText(url) {
  return new Promise((resolve) => {
    const request = get(url, { timeout: 3000, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve(response.statusCode === 200 ? text : undefined));
      response.on('error', () => resolve(undefined));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}

/** Of a media playlist, what the status line shows. */
export function playlistFacts(text) {
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(text)?.[1] ?? 0);
  const segments = text.match(/^#EXTINF:/gm)?.length ?? 0;
  const gaps = text.match(/^#EXT-X-GAP/gm)?.length ?? 0;
  return { last: first + segments - 1, segments, gaps, ended: /^#EXT-X-ENDLIST/m.test(text) };
}

/** A stream's playlists, as a viewer would fetch them. */
export class Published {
  /** @param base address of the channel's folder, ending in / */
  constructor(base, renditions) {
    this.base = base;
    this.renditions = renditions;
  }

  get multivariantUrl() {
    return `${this.base}index.m3u8`;
  }

  /** Facts by rendition; undefined for one that is not there. */
  async media() {
    const texts = await Promise.all(this.renditions.map((name) => fetchText(`${this.base}${name}.m3u8`)));
    return texts.map((text) => (text === undefined ? undefined : playlistFacts(text)));
  }

  /** The multivariant playlist names all renditions, and none of them is what an earlier life left behind. */
  async live() {
    const text = await fetchText(this.multivariantUrl);
    if (!text || !this.renditions.every((name) => text.includes(`${name}.m3u8`))) return false;
    return (await this.media()).every((facts) => facts && !facts.ended);
  }
}
