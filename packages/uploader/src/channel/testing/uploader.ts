import type { Key } from '@hls-uplink/hls';
import type { Announcement, SegmentId, Tracks } from '@hls-uplink/protocol';
import { inOrder } from '../../journal-record.js';
import { behindOf, isBehind } from '../catch-up.js';
import type { ChannelEvent, Effect, IndexRun, SourceFacts } from '../event.js';
import { deadline, openChannel, reduce, sessionProgress, step } from '../reduce.js';
import type { ChannelState } from '../state.js';
import type { Happening, Scene } from './scene.js';

interface Journalled {
  facts: SourceFacts;
  tracks: Tracks;
  announcement: Announcement;
  behind?: IndexRun[];
}

/** Two segments of a session share one. */
function keyOf({ session, index }: SegmentId): Extract<Key, { method: 'AES-128' }> {
  const iv = `${session.slice(16)}${index.toString(16).padStart(16, '0')}`.toUpperCase();
  return { method: 'AES-128', uri: `${session}-${index >> 1}.key`, iv };
}

/** The uploader, its journal and the way to its store, in simulated time. */
export class Uploader {
  state: ChannelState | undefined;
  private journal: Journalled[] = [];
  private life = 0;
  private storeUp = true;
  private tickAt: number | undefined;
  private switched = false;

  constructor(private readonly scene: Scene) {}

  start(journal: 'kept' | 'empty' = 'kept'): void {
    if (this.state) return;
    this.life++;
    this.scene.audience.restarted(journal);
    if (journal === 'empty') this.journal = [];
    const { window = 6, recordings } = this.scene.options;
    const iFrames = !this.encrypts;
    const writer = `uploader-${this.life}`;
    this.state = openChannel({ channel: 'live', window, iFrames, ...recordings, writer, fenced: true });
    const playlists = [...this.scene.store.texts].map(([key, text]) => ({ key, text }));
    this.happen({ type: 'opened', playlists });
    for (const { facts, tracks, announcement, behind } of this.replay()) {
      this.happen({ type: 'connected', facts, replayed: true });
      this.happen({ type: 'tracks', tracks });
      this.happen({ type: 'accepted', announcement, ...(behind && { behind }) });
    }
    for (const segmenter of this.scene.segmenters.values()) if (segmenter.alive) segmenter.connect();
  }

  private replay(): Journalled[] {
    const all = new Map(this.journal.map((one) => [one.announcement, one]));
    const records = this.journal.map(({ announcement, behind }, sequence) => ({
      type: 'accepted' as const,
      sequence,
      announcement,
      ...(behind && { behind }),
    }));
    return inOrder(records).flatMap((record) => {
      if (record.type !== 'accepted') return [];
      const { announcement, behind } = record;
      const { facts, tracks } = all.get(announcement)!;
      return [{ facts, tracks, announcement, ...(behind && { behind }) }];
    });
  }

  /** kill -9: what was on its way to the store arrives there or does not, but not after a successor has read it. */
  kill(): void {
    if (!this.state) return;
    this.scene.happened.restarts++;
    this.state = undefined;
    this.tickAt = undefined;
    for (const arrive of this.scene.time.withdraw(this.life)) {
      if (this.storeUp && this.scene.random() < 0.5) arrive();
    }
  }

  /** Another one, with encryption switched on, or off. */
  switchEncryption(): void {
    this.kill();
    this.scene.happened.encryptionSwitches++;
    this.switched = !this.switched;
    this.start();
  }

  private get encrypts(): boolean {
    return (this.scene.options.encrypted ?? false) !== this.switched;
  }

  setStore(up: boolean): void {
    if (this.storeUp && !up) this.scene.happened.outages++;
    if (up && !this.storeUp) this.scene.audience.healthy();
    if (up && !this.storeUp) this.happen({ type: 'store-recovered' });
    this.storeUp = up;
  }

  happen(happening: Happening): void {
    if (!this.state) return;
    this.scene.happened.events++;
    const { phase } = this.state;
    const effects = this.take({ ...happening, at: this.scene.time.now });
    if (phase === 'live' && this.state.phase === 'ended') this.ended();
    for (const effect of effects) this.perform(effect);
    const due = this.state && deadline(this.state);
    if (due !== undefined && due !== this.tickAt) {
      this.tickAt = due;
      const life = this.life;
      this.scene.time.at(due, () => {
        if (this.life !== life || this.tickAt !== due) return;
        this.tickAt = undefined;
        this.happen({ type: 'tick' });
      });
    }
  }

  private take(event: ChannelEvent): Effect[] {
    if (!this.scene.options.immutable) return step(this.state!, event);
    const { state, effects } = reduce(this.state!, event);
    this.state = state;
    return effects;
  }

  /** A segmenter announces; a journalled announcement is replayed after a restart. */
  accept(record: Journalled): void {
    const { announcement, facts } = record;
    const { session, index } = announcement;
    const behind = this.state ? behindOf(this.state, session).filter(([from]) => from < index) : [];
    if (!this.journal.some((one) => one.announcement === announcement))
      this.journal.push({ ...record, ...(behind.length > 0 && { behind }) });
    this.scene.audience.accepted(facts.rendition, announcement);
    this.happen({ type: 'accepted', announcement });
  }

  isBehind(id: SegmentId): boolean {
    return this.state !== undefined && isBehind(this.state, id);
  }

  get isOpen(): boolean {
    return this.state !== undefined && this.state.phase !== 'opening';
  }

  /** What `welcome` says. */
  progress(session: string): ReturnType<typeof sessionProgress> {
    return this.state ? sessionProgress(this.state, session) : { accepted: [] };
  }

  /** ENDLIST comes when every connected source has ended (DESIGN.md, "Leave and end are different"). */
  private ended(): void {
    for (const { rendition, up, online, said } of this.scene.segmenters.values()) {
      if (up && online && said === 'segment')
        this.scene.audience.fault(rendition, 'rule 18: the stream ends while it delivers');
    }
  }

  private perform(effect: Effect): void {
    const took = 20 + Math.floor(this.scene.random() * 400);
    switch (effect.type) {
      case 'put-segment':
        this.scene.audience.putting(effect.key, effect.id);
        return this.put(took, () => {
          if (this.scene.vanished.has(`${effect.id.session}/${effect.id.index}`)) {
            this.scene.happened.vanished++;
            this.scene.audience.lost(effect.id);
            return { type: 'segment-lost', id: effect.id };
          }
          const encryption = this.encrypts ? keyOf(effect.id) : undefined;
          if (encryption) this.scene.store.keys.add(encryption.uri);
          this.scene.audience.stored(effect.key, encryption && `${encryption.uri} ${encryption.iv}`);
          return { type: 'segment-stored', id: effect.id, ...(encryption && { encryption }) };
        });
      case 'put-playlist': {
        const { view, rendition, version, key, text } = effect;
        if (view === 'live') this.scene.audience.decided(key, text);
        return this.putText(took, key, text, (stored) =>
          stored
            ? { type: 'playlist-stored', view, rendition, version, tookMs: took }
            : { type: 'playlist-failed', view, rendition, version },
        );
      }
      case 'put-multivariant':
        if (this.encrypts && effect.text.includes('I-FRAME'))
          this.scene.audience.fault(effect.key, 'rule 21: I-frames of what is encrypted');
        return this.putText(took, effect.key, effect.text, (stored) => {
          if (!stored) this.scene.audience.multivariants.missed(effect.key);
          return {
            type: stored ? 'multivariant-stored' : 'multivariant-failed',
            view: effect.view,
            version: effect.version,
          };
        });
      case 'delete':
        for (const key of effect.keys) this.scene.audience.removed(key);
        return this.scene.time.at(
          this.scene.time.now + took,
          () => this.happen({ type: 'deleted', keys: effect.keys }),
          this.life,
        );
      case 'answer':
        this.scene.audience.answered(effect.id, effect.answer);
        this.journal = this.journal.filter(
          ({ announcement: one }) => one.session !== effect.id.session || one.index !== effect.id.index,
        );
        for (const segmenter of this.scene.segmenters.values()) {
          if (segmenter.session === effect.id.session && segmenter.online && segmenter.alive)
            segmenter.answered(effect.id.index, effect.answer.type);
        }
        return;
      case 'report':
        if (effect.message.includes('a gap stands for it'))
          this.scene.audience.gapDecided(String(effect.fields['rendition']), Number(effect.fields['number']));
        if (effect.message.includes('go on without'))
          this.scene.audience.gaveUp(String(effect.fields['rendition']));
        if (effect.message.includes('have what the live one skipped')) this.scene.audience.seen.caughtUp++;
        return;
      case 'cancel-segment':
      case 'target-duration':
    }
  }

  private put(took: number, done: () => Happening): void {
    const life = this.life;
    const attempt = (): void => {
      if (!this.storeUp) return this.scene.time.at(this.scene.time.now + 1000, attempt, life);
      const event = done();
      if (this.life === life && this.state) this.happen(event);
    };
    this.scene.time.at(this.scene.time.now + took, attempt, life);
  }

  private putText(took: number, key: string, text: string, done: (stored: boolean) => Happening): void {
    const life = this.life;
    this.scene.time.at(
      this.scene.time.now + (this.storeUp ? took : 1000),
      () => {
        const stored = this.storeUp && this.scene.random() >= (this.scene.options.refused ?? 0);
        if (stored) this.scene.audience.published(key, text);
        // What is lost is counted anew from the store's recovery.
        else this.scene.audience.healthy();
        if (this.life === life && this.state) this.happen(done(stored));
      },
      life,
    );
  }
}
