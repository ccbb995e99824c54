/** What objects are served with (HLS-RULES 26). */
export const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';
export const SEGMENT_TYPE = 'video/mp2t';
export const KEY_TYPE = 'application/octet-stream';

/** A key means these bytes only, for ever: 365 days. */
export const SEGMENT_CACHE_CONTROL = 'public, max-age=31536000, immutable';
/** A name means this key only, but a shared cache would give it to who was never asked for a permission. */
export const KEY_CACHE_CONTROL = 'private, max-age=86400';

/** @param maxAgeSeconds half the target duration at most; 0 means asking each time */
export function playlistCacheControl(maxAgeSeconds: number): string {
  return `public, max-age=${Math.max(0, Math.floor(maxAgeSeconds))}`;
}
