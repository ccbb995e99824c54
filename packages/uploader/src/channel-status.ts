import { isSpare } from './channel/encode.js';
import { bySize } from './channel/multivariant.js';
import { multivariantKeyOf } from './channel/playlist-keys.js';
import type { ChannelState, RenditionState, SourceState } from './channel/state.js';
import type { ChannelWorker } from './channel-worker.js';

/** One channel as `/api/channels` shows it. @param nowMs wall clock */
export function channelStatus(worker: ChannelWorker, nowMs: number, served: boolean): unknown {
  const { state, counts, id } = worker;
  const { phase, life, targetDuration, target, refusal, settings, stalledSinceMs } = state;
  return {
    id,
    channel: settings.channel,
    phase: worker.isOpen ? phase : 'opening',
    life,
    /** Live, and no source has delivered for 1.5 × target duration. */
    stalled: stalledSinceMs !== undefined,
    ...(stalledSinceMs !== undefined && { stalledSince: new Date(stalledSinceMs).toISOString() }),
    ...(target !== undefined && { target }),
    ...(targetDuration !== undefined && { targetDuration }),
    ...(refusal !== undefined && { refusal }),
    /** Of the multivariant playlist, when this server has it. */
    ...(served && !id.includes(':') && { playlist: `/live/${settings.channel}/index.m3u8` }),
    ...(served && !id.includes(':') && { recordings: recordings(state) }),
    multivariant: state.multivariant.storedText !== '',
    renditions: Object.values(state.renditions)
      .sort(bySize)
      .map((rendition) => renditionStatus(rendition, nowMs)),
    sources: Object.values(state.sources).map((source) => sourceStatus(state, source)),
    counts,
  };
}

function sourceStatus(state: ChannelState, source: SourceState): unknown {
  const { facts, connected, gone, settled, same = false, published } = source;
  const rendition = state.renditions[facts.rendition];
  const active = rendition?.active === facts.session;
  const spare = rendition !== undefined && isSpare(state, rendition, source);
  return {
    session: facts.session,
    rendition: facts.rendition,
    source: facts.source,
    connected,
    ...(gone && { gone }),
    /** Which of several the rendition is published from; of the others, whether they are known to be the same encode. */
    active,
    ...(spare && { sameEncode: same }),
    /** Segments of it that were listed since this uploader started. */
    published,
    settled,
  };
}

/** Where this server has the multivariant playlists that keep what the live one loses. */
function recordings({ settings, multivariants, vod }: ChannelState): Record<string, string> {
  const views = (['dvr', 'event', 'vod'] as const).filter((view) => multivariants[view]?.storedText);
  return Object.fromEntries(
    views.map((view) => [view, `/live/${multivariantKeyOf(settings.channel, view, vod?.stamp)}`]),
  );
}

function renditionStatus(rendition: RenditionState, nowMs: number): unknown {
  const { name, entries, queue, counts, away, alone, storedTail, endList, discontinuitySequence, tracks } =
    rendition;
  const last = entries.at(-1);
  return {
    name,
    tracks,
    /** Media sequence number of the last entry, and of the last one that viewers can have. */
    ...(last && { lastNumber: last.number }),
    published: storedTail,
    entries: entries.length,
    waiting: queue.length,
    discontinuitySequence,
    /** From the end of the last entry to now, by the dates in the playlist. */
    ...(last && {
      lagSeconds: Math.round((nowMs - last.dateMs) / 100 - (last.end - last.start) / 9000) / 10,
    }),
    away,
    /** Numbered by itself; with `misfit`, why it does not align with the others, and what mends it. */
    alone,
    ...(rendition.misfit && { misfit: rendition.misfit }),
    ended: endList,
    ...(rendition.stated ?? {}),
    counts,
  };
}
