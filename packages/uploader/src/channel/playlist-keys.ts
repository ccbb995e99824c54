import type { MultivariantView, RecordingView, SourceFacts } from './event.js';
import type { RenditionState } from './state.js';

/** Beside a rendition's media playlist, and the multivariant playlist: its key with this before the extension. */
export function derivedKey(key: string, what: string): string {
  return key.replace(/\.m3u8$/, `-${what}.m3u8`);
}

export const recordingKey = (
  { playlistKey }: Pick<RenditionState, 'playlistKey'>,
  view: RecordingView,
): string => derivedKey(playlistKey, view);

/** A stream has a VOD playlist for each of its lives: `<rendition>-<when it began>-vod.m3u8`. */
export const vodKey = ({ playlistKey }: Pick<RenditionState, 'playlistKey'>, stamp: string): string =>
  derivedKey(playlistKey, `${stamp}-vod`);

export function multivariantKeyOf(channel: string, view: MultivariantView, stamp?: string): string {
  const key = `${channel}/index.m3u8`;
  if (view === 'live') return key;
  return derivedKey(key, view === 'vod' ? `${stamp}-vod` : view);
}

const RECORDING = /-(dvr|event)\.m3u8$/;
const DERIVED = /(^|\/)index-(dvr|event)\.m3u8$|-(iframes|vod)\.m3u8$/;

/** Which recording the key is of; undefined: of none. */
export function recordingOf(key: string): RecordingView | undefined {
  return isDerived(key) ? undefined : (RECORDING.exec(key)?.[1] as RecordingView | undefined);
}

/** Nothing stands in it that is not known from others, so it need not be read back. */
export const isDerived = (key: string): boolean => DERIVED.test(key);

/** Key of a rendition's media playlist. */
export function playlistKeyOf(
  channel: string,
  { rendition, names }: Pick<SourceFacts, 'rendition' | 'names'>,
): string {
  return `${channel}/${names?.index ?? `${rendition}.m3u8`}`;
}
