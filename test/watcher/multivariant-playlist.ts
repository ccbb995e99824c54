/** A multivariant playlist as a viewer reads it (RFC 8216 §4.3.4), strictly. */
import { parseAttributeList, plain, quoted } from './attribute-list.js';
import { playlistLines } from './media-playlist.js';

export interface Variant {
  uri: string;
  /** BANDWIDTH, bits per second. */
  bandwidth: number;
  /** AVERAGE-BANDWIDTH, bits per second. */
  averageBandwidth: number | undefined;
  /** CODECS */
  codecs: string[] | undefined;
  /** RESOLUTION, as `1280x720`. */
  resolution: string | undefined;
  /** FRAME-RATE */
  frameRate: number | undefined;
  /** AUDIO, the group of its sound. */
  audioGroup: string | undefined;
}

/** EXT-X-MEDIA with a playlist of its own. */
export interface Rendition {
  uri: string;
  type: string;
  group: string;
}

export interface MultivariantPlaylist {
  independentSegments: boolean;
  variants: Variant[];
  renditions: Rendition[];
}

const integer = /^\d{1,15}$/;

/** @throws SyntaxError naming the line. */
export function parseMultivariantPlaylist(text: string): MultivariantPlaylist {
  const playlist: MultivariantPlaylist = { independentSegments: false, variants: [], renditions: [] };
  let open: string | undefined;
  playlistLines(text).forEach((line, index) => {
    const at = `line ${index + 1}`;
    if (index === 0 || line === '' || (line.startsWith('#') && !line.startsWith('#EXT'))) return;
    const [, name = '', value = ''] = /^(#EXT[A-Z0-9-]+)(?::(.*))?$/.exec(line) ?? [];
    if (open !== undefined) {
      if (line.startsWith('#')) throw new SyntaxError(`${at}: EXT-X-STREAM-INF without a URI`);
      playlist.variants.push(variant(open, line));
      open = undefined;
    } else if (name === '#EXT-X-STREAM-INF') open = value;
    else if (name === '#EXT-X-INDEPENDENT-SEGMENTS') playlist.independentSegments = true;
    else if (name === '#EXT-X-MEDIA') {
      const rendition = media(value);
      if (rendition !== undefined) playlist.renditions.push(rendition);
    } else if (!/^#EXT-X-(VERSION|START|DEFINE|SESSION-DATA|SESSION-KEY|I-FRAME-STREAM-INF)$/.test(name))
      throw new SyntaxError(`${at}: not a line of a multivariant playlist: ${line}`);
  });
  if (open !== undefined) throw new SyntaxError('EXT-X-STREAM-INF without a URI at the end');
  return playlist;
}

function variant(attributes: string, uri: string): Variant {
  const list = parseAttributeList(attributes);
  const bandwidth = plain(list, 'BANDWIDTH', integer);
  if (bandwidth === undefined) throw new SyntaxError(`EXT-X-STREAM-INF without BANDWIDTH: ${uri}`);
  const average = plain(list, 'AVERAGE-BANDWIDTH', integer);
  const frameRate = plain(list, 'FRAME-RATE', /^\d+(\.\d+)?$/);
  return {
    uri,
    bandwidth: Number(bandwidth),
    averageBandwidth: average === undefined ? undefined : Number(average),
    codecs: quoted(list, 'CODECS')
      ?.split(',')
      .map((codec) => codec.trim()),
    resolution: plain(list, 'RESOLUTION', /^\d+x\d+$/),
    frameRate: frameRate === undefined ? undefined : Number(frameRate),
    audioGroup: quoted(list, 'AUDIO'),
  };
}

function media(attributes: string): Rendition | undefined {
  const list = parseAttributeList(attributes);
  const uri = quoted(list, 'URI');
  if (uri === undefined) return undefined;
  return {
    uri,
    type: plain(list, 'TYPE', /^(AUDIO|VIDEO|SUBTITLES)$/) ?? '',
    group: quoted(list, 'GROUP-ID') ?? '',
  };
}
