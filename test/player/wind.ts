/** Trick play: hls.js shows single pictures of the I-frame playlists that a multivariant playlist offers. */
import { withPage } from './browser.js';

/** A picture that was asked for, and what was shown. */
export interface ShownPicture {
  asked: number;
  /** Its own time in the stream, seconds; undefined when none came. */
  time: number | undefined;
  width: number;
  height: number;
}

export interface WindReport {
  errors: string[];
  pictures: ShownPicture[];
}

/** The player beside knows what time the stream's timestamps mean once it has buffered some of it. */
const html = `<!doctype html><meta charset="utf-8"><title>wind</title>
<video id="main" muted></video><video id="still" muted></video><script src="/hls.js"></script><script>
const { url } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
window.errors = [];
const note = (_, data) => window.errors.push([data.details, data.reason ?? data.error?.message].join(': '));
for (const video of document.querySelectorAll('video'))
  video.addEventListener('error', () => window.errors.push([video.id, video.error?.message].join(': ')));
const hls = new Hls({ startPosition: 0 });
hls.on(Hls.Events.ERROR, note);
hls.once(Hls.Events.FRAG_BUFFERED, () => {
  const pictures = hls.createIFramePlayer();
  if (pictures === null) return window.errors.push('no I-frame playlists');
  pictures.on(Hls.Events.ERROR, note);
  pictures.on(Hls.Events.MEDIA_ATTACHED, () => (window.pictures = pictures));
  pictures.attachMedia(document.querySelector('#still'));
});
window.show = (asked, timeoutMs) => new Promise((resolve) => {
  const video = document.querySelector('#still');
  const tell = (time) => resolve({ asked, time, width: video.videoWidth, height: video.videoHeight });
  setTimeout(() => tell(undefined), timeoutMs);
  video.requestVideoFrameCallback((_, { mediaTime }) => tell(mediaTime));
  window.pictures.loadMediaAt(asked);
});
hls.loadSource(url);
hls.attachMedia(document.querySelector('#main'));
</script>`;

interface WindWindow {
  errors: string[];
  pictures?: unknown;
  show: (asked: number, timeoutMs: number) => Promise<ShownPicture>;
}

/** Asks for one picture after the other, seconds from the start of the stream; from a server that knows byte ranges. */
export function wind(url: string, seconds: readonly number[], timeoutMs = 10_000): Promise<WindReport> {
  return withPage({ html, parameters: { url }, crossOrigin: 'ignored' }, async (page) => {
    const ready = await page
      .waitForFunction(() => (window as unknown as WindWindow).pictures !== undefined, undefined, {
        timeout: timeoutMs,
      })
      .then(() => true)
      .catch(() => false);
    const pictures: ShownPicture[] = [];
    for (const asked of ready ? seconds : []) {
      const picture = await page.evaluate(([at, ms]) => (window as unknown as WindWindow).show(at, ms), [
        asked,
        timeoutMs,
      ] as const);
      pictures.push(picture);
    }
    const errors = await page.evaluate(() => (window as unknown as WindWindow).errors);
    return { errors: ready ? errors : [...errors, 'never ready'], pictures };
  });
}
