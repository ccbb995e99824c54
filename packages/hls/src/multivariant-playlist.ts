import { parseAttributeList, quotedString } from './attribute-list.js';
import {
  commentLine,
  decimalInteger,
  decimalNumber,
  DEFAULT_MAX_ENTRIES,
  excerpt,
  linesOf,
  writableUri,
  type ParseLimits,
} from './lines.js';
import { PlaylistError } from './playlist-error.js';
import type { ClosedCaptions, IFrameVariant, MultivariantPlaylist, Variant } from './playlist.js';

/** As our media playlists from birth, so that the version of no playlist ever changes. */
const VERSION = 8;
/** An enumerated string, where a GROUP-ID would stand in quotes (RFC 8216 §4.3.4.2). */
const NO_CAPTIONS = 'NONE';

/** The playlist as text (RFC 8216 §4.3.4), variants in the order given; ends in a newline. */
export function renderMultivariantPlaylist(playlist: MultivariantPlaylist): string {
  return [
    '#EXTM3U',
    `#EXT-X-VERSION:${VERSION}`,
    ...(playlist.independentSegments ? ['#EXT-X-INDEPENDENT-SEGMENTS'] : []),
    ...playlist.comments.map(commentLine),
    ...(playlist.closedCaptions ?? []).map(renderClosedCaptions),
    ...playlist.variants.map(renderVariant),
    ...(playlist.iFrameVariants ?? []).map(renderIFrameVariant),
    '',
  ].join('\n');
}

function renderVariant(variant: Variant): string {
  const { bandwidth, averageBandwidth, codecs, resolution, frameRate, closedCaptions, uri } = variant;
  const attributes = [
    `BANDWIDTH=${bandwidth}`,
    ...(averageBandwidth === undefined ? [] : [`AVERAGE-BANDWIDTH=${averageBandwidth}`]),
    ...(codecs.length === 0 ? [] : [`CODECS=${quotedString(codecs.join(','))}`]),
    ...(resolution ? [`RESOLUTION=${resolution.width}x${resolution.height}`] : []),
    ...(frameRate === undefined ? [] : [`FRAME-RATE=${frameRate.toFixed(3)}`]),
    ...(closedCaptions === undefined ? [] : [`CLOSED-CAPTIONS=${captionsGroup(closedCaptions)}`]),
  ];
  return `#EXT-X-STREAM-INF:${attributes.join(',')}\n${writableUri(uri)}`;
}

function renderIFrameVariant({ bandwidth, codecs, resolution, uri }: IFrameVariant): string {
  const attributes = [
    `BANDWIDTH=${bandwidth}`,
    ...(codecs.length === 0 ? [] : [`CODECS=${quotedString(codecs.join(','))}`]),
    ...(resolution ? [`RESOLUTION=${resolution.width}x${resolution.height}`] : []),
    `URI=${quotedString(writableUri(uri))}`,
  ];
  return `#EXT-X-I-FRAME-STREAM-INF:${attributes.join(',')}`;
}

const captionsGroup = (group: string): string => (group === NO_CAPTIONS ? group : quotedString(group));

function renderClosedCaptions({ group, name, instreamId, language }: ClosedCaptions): string {
  const attributes = [
    'TYPE=CLOSED-CAPTIONS',
    `GROUP-ID=${quotedString(group)}`,
    ...(language === undefined ? [] : [`LANGUAGE=${quotedString(language)}`]),
    `NAME=${quotedString(name)}`,
    `INSTREAM-ID=${quotedString(instreamId)}`,
  ];
  return `#EXT-X-MEDIA:${attributes.join(',')}`;
}

const MEDIA = new Set(['EXTINF', 'EXT-X-TARGETDURATION', 'EXT-X-MEDIA-SEQUENCE', 'EXT-X-ENDLIST']);

/**
 * The playlist that a text is; unknown tags and attributes are ignored, comments before the first variant kept.
 * @throws PlaylistError whatever the text, nothing else
 */
export function parseMultivariantPlaylist(text: string, limits: ParseLimits = {}): MultivariantPlaylist {
  const playlist: MultivariantPlaylist = { independentSegments: false, variants: [], comments: [] };
  const maxEntries = limits.maxEntries ?? DEFAULT_MAX_ENTRIES;
  let next: Omit<Variant, 'uri'> | undefined;
  let last = 1;
  for (const line of linesOf(text, limits)) {
    last = line.number;
    if (line.kind === 'uri') {
      if (!next) throw new PlaylistError('stray-uri', last, `no EXT-X-STREAM-INF for ${excerpt(line.uri)}`);
      // eslint-disable-next-line no-control-regex -- that is what it looks for
      if (/[\x00-\x1f\x7f]/.test(line.uri)) {
        throw new PlaylistError('bad-value', last, `a URI with control characters: ${excerpt(line.uri)}`);
      }
      if (playlist.variants.length >= maxEntries) {
        throw new PlaylistError('too-many-entries', last, `more than ${maxEntries} variants`);
      }
      playlist.variants.push({ ...next, uri: line.uri });
      next = undefined;
    } else if (next) {
      throw new PlaylistError('missing-uri', last, 'EXT-X-STREAM-INF must be followed by its URI');
    } else if (line.kind === 'comment') {
      if (playlist.variants.length === 0) playlist.comments.push(line.text);
    } else if (line.name === 'EXT-X-MEDIA') {
      const closedCaptions = parseClosedCaptions(line.value, last);
      if (closedCaptions) (playlist.closedCaptions ??= []).push(closedCaptions);
    } else if (line.name === 'EXT-X-STREAM-INF') next = parseStreamInf(line.value, last);
    else if (line.name === 'EXT-X-I-FRAME-STREAM-INF') {
      const iFrameVariants = (playlist.iFrameVariants ??= []);
      if (iFrameVariants.length >= maxEntries) {
        throw new PlaylistError('too-many-entries', last, `more than ${maxEntries} I-frame variants`);
      }
      iFrameVariants.push(parseIFrameStreamInf(line.value, last));
    } else if (line.name === 'EXT-X-INDEPENDENT-SEGMENTS') playlist.independentSegments = true;
    else if (MEDIA.has(line.name)) {
      throw new PlaylistError('wrong-kind', last, `${line.name} belongs into a media playlist`);
    }
  }
  if (next) throw new PlaylistError('missing-uri', last, 'the URI of the last variant is missing');
  return playlist;
}

function parseStreamInf(value: string, line: number): Omit<Variant, 'uri'> {
  const attributes = parseAttributeList('EXT-X-STREAM-INF', value, line);
  const averageBandwidth = attributes.get('AVERAGE-BANDWIDTH');
  const frameRate = attributes.get('FRAME-RATE');
  const closedCaptions = attributes.get('CLOSED-CAPTIONS');
  return {
    ...commonOf('EXT-X-STREAM-INF', attributes, line),
    ...(averageBandwidth !== undefined && {
      averageBandwidth: decimalInteger('AVERAGE-BANDWIDTH', averageBandwidth, line),
    }),
    ...(frameRate !== undefined && { frameRate: decimalNumber('FRAME-RATE', frameRate, line) }),
    ...(closedCaptions !== undefined && { closedCaptions }),
  };
}

function parseIFrameStreamInf(value: string, line: number): IFrameVariant {
  const tag = 'EXT-X-I-FRAME-STREAM-INF';
  const attributes = parseAttributeList(tag, value, line);
  const uri = attributes.get('URI');
  if (uri === undefined) throw new PlaylistError('bad-value', line, `${tag} has no URI`);
  return { ...commonOf(tag, attributes, line), uri };
}

/** What variants of both kinds have. */
function commonOf(
  tag: string,
  attributes: ReadonlyMap<string, string>,
  line: number,
): Pick<Variant, 'bandwidth' | 'codecs' | 'resolution'> {
  const bandwidth = attributes.get('BANDWIDTH');
  if (bandwidth === undefined) throw new PlaylistError('bad-value', line, `${tag} has no BANDWIDTH`);
  const resolution = attributes.get('RESOLUTION');
  return {
    bandwidth: decimalInteger('BANDWIDTH', bandwidth, line),
    codecs: (attributes.get('CODECS') ?? '')
      .split(',')
      .map((codec) => codec.trim())
      .filter((codec) => codec !== ''),
    ...(resolution !== undefined && { resolution: decimalResolution('RESOLUTION', resolution, line) }),
  };
}

/** Undefined: renditions of another type. */
function parseClosedCaptions(value: string, line: number): ClosedCaptions | undefined {
  const attributes = parseAttributeList('EXT-X-MEDIA', value, line);
  if (attributes.get('TYPE') !== 'CLOSED-CAPTIONS') return undefined;
  const [group, name, instreamId] = ['GROUP-ID', 'NAME', 'INSTREAM-ID'].map((key) => attributes.get(key));
  if (group === undefined || name === undefined || instreamId === undefined) {
    throw new PlaylistError('bad-value', line, 'EXT-X-MEDIA lacks GROUP-ID, NAME or INSTREAM-ID');
  }
  const language = attributes.get('LANGUAGE');
  return { group, name, instreamId, ...(language === undefined ? {} : { language }) };
}

function decimalResolution(name: string, value: string, line: number): { width: number; height: number } {
  const [, width, height] = /^(\d{1,6})x(\d{1,6})$/.exec(value) ?? [];
  if (width === undefined || height === undefined) {
    throw new PlaylistError('bad-value', line, `${name} is ${excerpt(value)}, not WIDTHxHEIGHT`);
  }
  return { width: Number(width), height: Number(height) };
}
