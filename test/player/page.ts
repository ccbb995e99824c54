/** The page that plays: hls.js, one video element, and notes of all that happens. */

/** One look at the video element. */
export interface Sample {
  /** Milliseconds of the page's own clock. */
  at: number;
  /** Seconds. */
  currentTime: number;
  decodedFrames: number;
  droppedFrames: number;
  /** Of sound, as Chromium counts them. */
  decodedSoundBytes: number;
  /** Seconds that can be played on without a hole. */
  bufferedAhead: number;
  /** Which level is on the screen; -1 before the first. */
  level: number;
  ended: boolean;
}

export interface PlayerError {
  at: number;
  type: string;
  details: string;
  reason: string;
}

export interface LevelSwitch {
  at: number;
  level: number;
}

/** A hole between two buffered ranges, seconds of the media's time. */
export interface Hole {
  at: number;
  start: number;
  end: number;
}

/** What the page keeps in `window.notes`. */
export interface Notes {
  supported: boolean;
  samples: Sample[];
  errors: PlayerError[];
  fatalErrors: PlayerError[];
  levels: { height: number; bitrate: number; frameRate: number; codecs: string }[];
  switches: LevelSwitch[];
  holes: Hole[];
  /** The longest EXT-X-TARGETDURATION of any level, seconds; 0 before the first media playlist. */
  targetDuration: number;
}

export const sampleMs = 200;

/** Kept free of all that would cost the decoder time: no layout, no log, one timer. */
const script = `
const video = document.querySelector('video');
const notes = { supported: Hls.isSupported(), samples: [], errors: [], fatalErrors: [], levels: [], switches: [], holes: [], targetDuration: 0 };
window.notes = notes;
const now = () => performance.now();
const { url, config } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const hls = new Hls(config);
window.hls = hls;
hls.on(Hls.Events.ERROR, (_, data) => {
  const reason = String(data.reason ?? data.error?.message ?? data.response?.code ?? '');
  const error = { at: now(), type: data.type, details: data.details, reason };
  (data.fatal ? notes.fatalErrors : notes.errors).push(error);
});
hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
  notes.levels = data.levels.map((level) => ({
    height: level.height, bitrate: level.bitrate, frameRate: Number(level.frameRate) || 0, codecs: level.attrs.CODECS ?? '',
  }));
  video.play().catch((error) => notes.errors.push({ at: now(), type: 'play', details: error.name, reason: error.message }));
});
hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
  notes.targetDuration = Math.max(notes.targetDuration, details.targetduration);
});
hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => notes.switches.push({ at: now(), level }));
const told = new Set();
setInterval(() => {
  const { buffered, currentTime } = video;
  let ahead = 0;
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + 0.1 && buffered.end(i) > currentTime) ahead = buffered.end(i) - currentTime;
    const [start, end] = [buffered.end(i), i + 1 < buffered.length ? buffered.start(i + 1) : NaN];
    const key = start.toFixed(2) + ' ' + end.toFixed(2);
    if (end > start && !told.has(key)) { told.add(key); notes.holes.push({ at: now(), start, end }); }
  }
  const quality = video.getVideoPlaybackQuality();
  notes.samples.push({
    at: now(), currentTime, decodedFrames: quality.totalVideoFrames, droppedFrames: quality.droppedVideoFrames,
    decodedSoundBytes: video.webkitAudioDecodedByteCount, bufferedAhead: ahead, level: hls.currentLevel, ended: video.ended,
  });
}, ${sampleMs});
hls.loadSource(url);
hls.attachMedia(video);
`;

export const pageHtml = `<!doctype html><meta charset="utf-8"><title>player</title>
<style>body{margin:0;background:#000}video{width:640px;height:360px}</style>
<video muted playsinline></video><script src="/hls.js"></script><script>${script}</script>`;
