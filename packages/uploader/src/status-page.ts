/** The status page: the channels, and a player (hls.js from this server) for the chosen one. */
export const statusPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hls-uplink</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --line: #8884; --good: #2a9d5b; --bad: #d1495b; }
  body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 1.2rem; }
  h1 { font-size: 1.2rem; margin: 0 0 1rem; }
  video { width: 100%; aspect-ratio: 16 / 9; background: #000; border-radius: 8px; }
  .dot { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .4em; background: var(--bad); }
  .dot.good { background: var(--good); }
  .card { border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; margin: 1rem 0; overflow-x: auto; }
  .card h2 { font-size: 1rem; margin: 0 0 .5rem; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { text-align: left; padding: .2rem .8rem .2rem 0; white-space: nowrap; }
  th { font-weight: 600; opacity: .7; }
  button { font: inherit; padding: .15rem .7rem; cursor: pointer; }
  #player { display: none; }
  #player.on { display: block; }
  #levels { font-variant-numeric: tabular-nums; margin: .4rem 0; min-height: 1.4em; opacity: .8; }
  .muted { opacity: .65; }
</style>
<h1>hls-uplink <span id="ready" class="muted"></span></h1>
<div id="player"><video id="video" controls muted autoplay playsinline></video><div id="levels"></div></div>
<div id="channels" class="muted">…</div>
<script src="/assets/hls.js"></script>
<script>
'use strict';
const byId = (id) => document.getElementById(id);
const video = byId('video');
const wanted = new URLSearchParams(location.search).get('channel');
let playing;
let hls;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function play(channel) {
  playing = channel.id;
  byId('player').className = 'on';
  if (hls) hls.destroy();
  if (window.Hls && Hls.isSupported()) {
    hls = window.player = new Hls({ liveDurationInfinity: true });
    hls.on(Hls.Events.ERROR, (_event, data) => {
      if (!data.fatal) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else setTimeout(() => playing === channel.id && play(channel), 3000);
    });
    hls.loadSource(channel.playlist);
    hls.attachMedia(video);
  } else video.src = channel.playlist;
  video.play().catch(() => undefined);
}

function showLevel() {
  const level = hls && hls.levels && hls.levels[hls.currentLevel];
  const parts = [];
  if (level) parts.push(level.width + '×' + level.height, Math.round(level.bitrate / 1000) + ' kbit/s');
  if (hls && Number.isFinite(hls.latency)) parts.push(hls.latency.toFixed(1) + ' s behind live');
  byId('levels').textContent = parts.join(' · ');
}

function table(head, rows) {
  const made = element('table');
  const line = (cells, tag) => {
    const row = made.appendChild(element('tr'));
    for (const cell of cells) row.appendChild(element(tag, cell === undefined ? '–' : String(cell)));
  };
  line(head, 'th');
  rows.forEach((row) => line(row, 'td'));
  return made;
}

function sourceState(sources) {
  const connected = sources.filter((source) => source.connected);
  if (connected.length === 0) return sources.some((source) => source.gone === 'ended') ? 'ended' : 'away';
  const active = sources.find((source) => source.active);
  const others = connected.filter((source) => !source.active && source.source !== (active && active.source));
  if (others.length === 0) return 'connected';
  const spare = (one) => one.source + (one.sameEncode ? ' (' : ' (another encode, ') + one.published + ')';
  return (active ? active.source + (active.connected ? '' : ' (away)') + ' (' + active.published + ')' : '–') + ', spare: ' + others.map(spare).join(', ');
}

function card(channel) {
  const made = element('div', undefined, 'card');
  const title = made.appendChild(element('h2'));
  const flowing = channel.phase === 'live' && !channel.stalled && channel.sources.some((source) => source.connected);
  title.append(element('span', undefined, flowing ? 'dot good' : 'dot'), channel.id + ' ', element('span', channel.stalled ? 'stalled since ' + new Date(channel.stalledSince).toLocaleString() : channel.phase, 'muted'), ' ');
  if (channel.playlist && channel.multivariant) {
    const button = title.appendChild(element('button', playing === channel.id ? 'playing' : 'play'));
    button.onclick = () => play(channel);
  }
  for (const [view, playlist] of Object.entries(channel.recordings || {})) {
    const button = title.appendChild(element('button', view));
    button.onclick = () => play({ id: channel.id, playlist });
    const link = element('a', 'm3u8', 'muted');
    link.href = playlist;
    title.append(' ', button, ' ', link, ' ');
  }
  if (channel.refusal) made.append(element('p', channel.refusal));
  made.append(table(
    ['rendition', 'number', 'behind', 'kbit/s', 'published', 'gaps', 'discontinuities', 'dropped', 'waiting', 'source'],
    channel.renditions.map((one) => {
      const sources = channel.sources.filter((source) => source.rendition === one.name);
      const dropped = Object.values(one.counts.dropped).reduce((sum, count) => sum + count, 0);
      const state = sourceState(sources);
      return [one.name, one.lastNumber, one.lagSeconds === undefined ? undefined : one.lagSeconds + ' s',
        one.bandwidth && Math.round(one.bandwidth / 1000), one.counts.published, one.counts.gaps, one.counts.discontinuities, dropped, one.waiting, state];
    }),
  ));
  return made;
}

async function update() {
  try {
    const { channels, stores, keyStore } = await (await fetch('/api/channels')).json();
    const bad = stores.concat(keyStore || []).filter((store) => !store.good);
    byId('ready').textContent = bad.length === 0 ? '' : bad.map((store) => store.problem).join('; ');
    const list = byId('channels');
    list.className = channels.length === 0 ? 'muted' : '';
    list.replaceChildren(...(channels.length === 0 ? ['no segmenter has come yet'] : channels.map(card)));
    const first = channels.find((one) => one.playlist && one.multivariant && (!wanted || one.id === wanted));
    if (playing === undefined && first) play(first);
  } catch {
    byId('ready').textContent = 'the daemon does not answer';
  }
  showLevel();
}
update();
setInterval(update, 2000);
</script>
</html>
`;
