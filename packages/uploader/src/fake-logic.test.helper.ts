import type { Segment, SegmentId } from '@hls-uplink/protocol';
import type { ChannelEvent, Effect } from './channel/event.js';
import { openChannel } from './channel/reduce.js';
import type { ChannelState } from './channel/state.js';
import type { ChannelLogic } from './channel-logic.js';

interface FakeState extends ChannelState {
  uploading: SegmentId[];
  stored: SegmentId[];
  lost: SegmentId[];
  version: number;
  inFlight: boolean;
}

/** A reducer that publishes what is stored, one playlist after the other, and records what it was told. */
export function fakeLogic(settled: Record<string, number> = {}): ChannelLogic & { events: ChannelEvent[] } {
  const events: ChannelEvent[] = [];
  const playlist = (state: FakeState): Effect[] => {
    if (state.inFlight || state.stored.length === 0) return [];
    state.inFlight = true;
    state.version++;
    const text = `#EXTM3U\n#v${state.version}\n${state.stored.map(({ index }) => index).join(' ')}\n`;
    const key = `${state.settings.channel}/main.m3u8`;
    return [
      {
        type: 'put-playlist',
        view: 'live',
        rendition: 'main',
        key,
        text,
        version: state.version,
        maxAgeSeconds: 3,
      },
    ];
  };
  const answered = (state: FakeState, id: SegmentId): void => {
    const source = state.sources[id.session];
    if (source) source.settled = Math.max(source.settled, id.index);
  };
  return {
    events,
    openChannel: (settings) =>
      ({
        ...openChannel(settings),
        uploading: [],
        stored: [],
        lost: [],
        version: 0,
        inFlight: false,
      }) as FakeState,
    reduce(given, event) {
      events.push(event);
      const state = given as FakeState;
      const effects: Effect[] = [];
      switch (event.type) {
        case 'opened':
          state.phase = 'live';
          break;
        case 'connected':
          state.target ??= event.facts.target;
          state.sources[event.facts.session] ??= {
            facts: event.facts,
            connected: true,
            settled: settled[event.facts.session] ?? -1,
            answered: [],
            prints: [],
            published: 0,
            farewells: [],
          };
          break;
        case 'accepted': {
          const { session, index } = event.announcement;
          const source = state.sources[session];
          if (source) source.last = { index };
          if (event.announcement.type === 'segment') {
            const { path, bytes, crc32 }: Segment = event.announcement;
            const key = `${state.settings.channel}/main-${session}-${index}.ts`;
            state.uploading.push({ session, index });
            effects.push({
              type: 'put-segment',
              id: { session, index },
              rendition: 'main',
              key,
              path,
              bytes,
              crc32,
            });
          } else {
            answered(state, { session, index });
            effects.push({ type: 'answer', id: { session, index }, answer: { type: 'published' } });
          }
          break;
        }
        case 'segment-stored':
          state.stored.push(event.id);
          break;
        case 'segment-lost':
          answered(state, event.id);
          effects.push({ type: 'answer', id: event.id, answer: { type: 'dropped', code: 'spool' } });
          break;
        case 'playlist-stored':
          state.inFlight = false;
          for (const id of state.stored.splice(0)) {
            answered(state, id);
            effects.push({ type: 'answer', id, answer: { type: 'published' } });
          }
          break;
        case 'playlist-failed':
          state.inFlight = false;
          break;
        default:
      }
      return { state, effects: [...effects, ...playlist(state)] };
    },
    deadline: () => undefined,
    namedKeys: () => new Set(),
    sessionProgress(given, session) {
      const state = given as FakeState;
      const source = state.sources[session];
      const accepted = [...state.uploading, ...state.stored].filter((id) => id.session === session);
      const above = (source?.settled ?? -1) + 1;
      return {
        ...(source && source.settled >= 0 && { settled: source.settled }),
        accepted: [...new Set(accepted.map(({ index }) => index).filter((index) => index >= above))],
      };
    },
  };
}
