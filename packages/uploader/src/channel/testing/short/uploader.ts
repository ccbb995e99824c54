import type { Announcement, Tracks } from '@hls-uplink/protocol';
import type { ChannelEvent, Effect, SourceFacts } from '../../event.js';
import { deadline, openChannel, reduce, sessionProgress, step } from '../../reduce.js';
import type { ChannelState } from '../../state.js';
import type { Happening } from '../scene.js';
import { idOf, type Fact } from './feed.js';
import type { ShortWorld } from './world.js';

interface Journalled {
  announcement: Announcement;
  fact?: Fact;
}

/** What a source says of itself when it connects; the journal keeps it beside its announcements. */
export interface Introduction {
  facts: SourceFacts;
  tracks: Tracks;
}

/** The uploader, its journal, and a store that answers at once, late, never or with a failure. */
export class ShortUploader {
  events = 0;
  /** Counts the starts. */
  life = 0;
  /** Segments that are put now are not answered before all is mended. */
  hangs = false;
  /** So many of the next writes of playlists fail, or lose their answer. */
  failures = 0;
  /** What happened, for who looks into a failure. */
  log: string[] | undefined;
  readonly texts = new Map<string, string>();
  readonly segments = new Set<string>();
  #state: ChannelState | undefined;
  #pure: ChannelState | undefined;
  #journal: Journalled[] = [];
  readonly #introductions = new Map<string, Introduction>();
  #storeUp = true;
  #tickAt: number | undefined;
  #hanging: (() => void)[] = [];
  /** How many of the puts take 3 s longer. */
  #slow = 0.05;

  constructor(
    private readonly world: ShortWorld,
    private readonly both: boolean,
  ) {}

  get isOpen(): boolean {
    return this.#state !== undefined;
  }

  get phase(): ChannelState['phase'] | undefined {
    return this.#state?.phase;
  }

  progress(session: string): ReturnType<typeof sessionProgress> {
    return this.#state ? sessionProgress(this.#state, session) : { accepted: [] };
  }

  start(journal: 'kept' | 'empty'): void {
    if (this.#state) return;
    this.life++;
    this.world.viewers.restarted(journal);
    if (journal === 'empty') this.#journal = [];
    const { iFrames, recordings } = this.world.plan;
    const writer = `uploader-${this.life}`;
    this.#state = openChannel({ channel: 'live', window: 3, iFrames, writer, ...recordings });
    if (this.both) this.#pure = openChannel(this.#state.settings);
    const playlists = [...this.texts].map(([key, text]) => ({ key, text }));
    this.happen({ type: 'opened', playlists });
    const waiting = [...this.#journal];
    const sessions = new Set(waiting.map(({ announcement }) => announcement.session));
    for (const [session, { facts, tracks }] of this.#introductions) {
      if (!sessions.has(session)) continue;
      this.happen({ type: 'connected', facts, replayed: true });
      this.happen({ type: 'tracks', tracks });
    }
    for (const { announcement, fact } of waiting) this.accept(announcement, fact);
    for (const source of this.world.sources) source.connect();
  }

  /** What was on its way to the store arrives there or does not, but not after a successor has read it. */
  kill(): void {
    if (!this.#state) return;
    this.#state = undefined;
    this.#tickAt = undefined;
    this.#hanging = [];
    for (const arrive of this.world.withdraw(this.life)) {
      if (this.#storeUp && this.world.random() < 0.5) arrive();
    }
  }

  setStore(up: boolean): void {
    if (up && !this.#storeUp) {
      this.world.viewers.recovered();
      this.happen({ type: 'store-recovered' });
    }
    this.#storeUp = up;
  }

  heal(): void {
    this.hangs = false;
    this.failures = 0;
    this.#slow = 0;
    this.setStore(true);
    this.start('kept');
    for (const put of this.#hanging.splice(0)) put();
  }

  introduce(introduction: Introduction): void {
    const { facts, tracks } = introduction;
    this.#introductions.set(facts.session, introduction);
    this.happen({ type: 'connected', facts });
    this.happen({ type: 'tracks', tracks });
  }

  /** `fact` is that of what it hears for the first time, or again after a restart. */
  accept(announcement: Announcement, fact: Fact | undefined): void {
    const { viewers } = this.world;
    if (!this.#journal.some((one) => one.announcement === announcement))
      this.#journal.push({ announcement, ...(fact && { fact }) });
    viewers.accepted(idOf(announcement), fact);
    this.happen({ type: 'accepted', announcement });
  }

  happen(happening: Happening): void {
    const state = this.#state;
    if (!state) return;
    this.events++;
    const event: ChannelEvent = { ...happening, at: this.world.now };
    const { phase } = state;
    const effects = step(state, event);
    if (this.log) this.#note(event, effects);
    if (this.#pure) this.#compare(event, effects);
    if (phase === 'starting' && state.phase !== phase) this.world.viewers.begins();
    if (phase === 'live' && state.phase === 'ended') this.world.viewers.ended();
    for (const effect of effects) this.#perform(effect);
    const due = deadline(state);
    if (due === undefined || due === this.#tickAt) return;
    this.#tickAt = due;
    this.#later(due - this.world.now, () => {
      if (this.#tickAt !== due || this.#state !== state) return;
      this.#tickAt = undefined;
      this.happen({ type: 'tick' });
    });
  }

  #note(event: ChannelEvent, effects: Effect[]): void {
    const short = (value: unknown): string =>
      JSON.stringify(value)
        .replaceAll(/0{20,}/g, '…')
        .slice(0, 600);
    this.log?.push(`${event.at % 1_000_000} ${short(event)}`);
    for (const effect of effects) {
      if (effect.type !== 'put-playlist') this.log?.push(`    ${short(effect)}`);
      else
        this.log?.push(
          `    ${effect.rendition} ${effect.version}\n${effect.text.replace(/#hls-uplink.*\n/, '')}`,
        );
    }
  }

  #compare(event: ChannelEvent, effects: Effect[]): void {
    const reduced = reduce(this.#pure!, event);
    this.#pure = reduced.state;
    const same =
      JSON.stringify(reduced.effects) === JSON.stringify(effects) &&
      JSON.stringify(reduced.state) === JSON.stringify(this.#state);
    if (!same) this.world.viewers.fault('channel', `reduce and step differ after ${event.type}`);
  }

  #later(ms: number, run: () => void): void {
    this.world.after(ms, run, this.life);
  }

  #perform(effect: Effect): void {
    const { random, viewers } = this.world;
    const took = 20 + Math.floor(random() * 300) + (random() < this.#slow ? 3000 : 0);
    switch (effect.type) {
      case 'put-segment': {
        viewers.putting(effect.key, effect.id);
        const put = (): void => this.#putSegment(effect);
        if (this.hangs) this.#hanging.push(put);
        else this.#later(took, put);
        return;
      }
      case 'put-playlist': {
        const { view, rendition, version, key, text } = effect;
        const playlist = view === 'live' ? viewers.decided(rendition, text) : undefined;
        const arrived = (): void => {
          if (playlist) viewers.published(rendition, playlist);
          else if (view !== 'i-frames') viewers.recorded.stored(key, text, this.world.now);
        };
        return this.#putText(took, key, text, arrived, (stored) => {
          if (playlist) viewers.over(rendition);
          if (stored) this.happen({ type: 'playlist-stored', view, rendition, version, tookMs: took });
          else this.happen({ type: 'playlist-failed', view, rendition, version });
        });
      }
      case 'put-multivariant': {
        const { view, key, text, version } = effect;
        return this.#putText(took, key, text, undefined, (stored) =>
          this.happen({ type: stored ? 'multivariant-stored' : 'multivariant-failed', view, version }),
        );
      }
      case 'delete':
        for (const key of effect.keys) {
          this.segments.delete(key);
          viewers.removed(key);
        }
        return this.#later(took, () => this.happen({ type: 'deleted', keys: effect.keys }));
      case 'answer': {
        const { id, answer } = effect;
        viewers.answered(id, answer);
        const at = this.#journal.findIndex(({ announcement: one }) => idOf(one) === idOf(id));
        if (at !== -1) this.#journal.splice(at, 1);
        const source = this.world.sources.find(({ session }) => session === id.session);
        if (source?.online && source.alive) source.answered(id.index, answer.type);
        return;
      }
      case 'report': {
        const { rendition, number, source, instead } = effect.fields;
        if (instead !== undefined) viewers.switched(String(rendition), String(source));
        if (typeof number === 'number') viewers.gap(String(rendition), number);
        return;
      }
      case 'cancel-segment':
      case 'target-duration':
    }
  }

  #putSegment(effect: Extract<Effect, { type: 'put-segment' }>): void {
    if (!this.#storeUp) return this.#later(1000, () => this.#putSegment(effect));
    const { key, id } = effect;
    if (this.world.viewers.fact(id)?.vanished) return this.happen({ type: 'segment-lost', id });
    this.segments.add(key);
    this.happen({ type: 'segment-stored', id });
  }

  #putText(
    took: number,
    key: string,
    text: string,
    arrived: (() => void) | undefined,
    done: (stored: boolean) => void,
  ): void {
    const { life } = this;
    this.#later(this.#storeUp ? took : 1000, () => {
      const fails = !this.#storeUp || this.failures > 0;
      if (this.#storeUp && fails) this.failures--;
      if (fails) this.world.viewers.writeFailed();
      const loses = this.#storeUp && fails && this.world.random() < 0.3;
      if (fails && !loses) return done(false);
      this.texts.set(key, text);
      arrived?.();
      // That a write whose answer was lost has arrived is found out by reading.
      if (loses) this.#later(500, () => this.life === life && done(true));
      else done(true);
    });
  }
}
