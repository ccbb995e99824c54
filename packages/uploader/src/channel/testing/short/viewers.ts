import type { DroppedCode, SegmentId } from '@hls-uplink/protocol';
import type { Effect } from '../../event.js';
import { Answers } from './answers.js';
import { Facts } from './facts.js';
import { idOf, type Fact } from './feed.js';
import { Losses } from './losses.js';
import { checkEntries, endOf, read, type ShortEntry, type ShortPlaylist } from './playlist.js';
import { PICTURE_MS, TARGET_SECONDS } from './plan.js';
import { Recorded } from './recorded.js';
import { Departures } from './departures.js';
import { checkSuccession } from './succession.js';
import { View, type Line } from './view.js';
import type { ShortWorld } from './world.js';

const TARGET_MS = 1000 * TARGET_SECONDS;
/** One picture, ticks. */
const FRAME_90K = 3601;

/** All viewers of a short sequence: they check each version against all before it, and the whole at the end. */
export class ShortViewers {
  readonly faults: string[] = [];
  readonly seen = {
    gaps: 0,
    discontinuities: 0,
    switches: 0,
    newLives: 0,
    skips: 0,
    deletions: 0,
    withdrawn: 0,
    ends: 0,
  };
  readonly answers = new Answers((where, text) => this.fault(where, text));
  /** Announcements of `end`. */
  ends = 0;
  /** The script has done what may begin an epoch. */
  causes = false;
  /** Tracks changed: what is said of it in a slot that a sibling lists already, or where it is lost, costs a segment. */
  tables = false;
  readonly #views: Map<string, View>;
  readonly #facts = new Facts();
  readonly #lines = new Map<number, Line>();
  /** Who was the first to have a number in a version that was to be put. */
  readonly #decidedBy = new Map<number, string>();
  readonly #departures: Departures;
  readonly #losses: Losses;
  readonly recorded: Recorded;
  readonly #putting = new Map<string, string>();
  #countedFrom = 0;
  #healthySince = 0;
  #deliveredAt = 0;
  #begun: { accepted: Set<string>; at: number } | undefined;
  #targetDuration: number | undefined;

  constructor(private readonly world: ShortWorld) {
    this.#views = new Map(world.plan.renditions.map((name) => [name, new View(name)]));
    const fault = (where: string, text: string): void => this.fault(where, text);
    this.#departures = new Departures(world, fault);
    this.recorded = new Recorded({
      view: (rendition) => this.#view(rendition),
      lines: this.#lines,
      facts: this.#facts,
      isThere: this.#isThere,
      fault,
    });
    this.#losses = new Losses({
      views: [...this.#views.values()],
      lines: this.#lines,
      spare: world.plan.spare,
      facts: this.#facts,
      fault,
    });
  }

  fault(where: string, fault: string): void {
    this.faults.push(`${where} at ${this.world.now % 1_000_000}: ${fault}`);
  }

  readonly #isThere = (uri: string): boolean => this.world.uploader.segments.has(`live/${uri}`);

  #view(rendition: string): View {
    return this.#views.get(rendition)!;
  }

  fact(id: SegmentId): Fact | undefined {
    return this.#facts.of(idOf(id));
  }

  cut(fact: Fact): void {
    this.#facts.add(fact);
    this.#view(fact.rendition).facts.push(fact);
  }

  connected(rendition: string, source: string): void {
    const view = this.#view(rendition);
    view.movedAt = this.world.now;
    // Another one's coming gives nobody more time; which is the active one is known once another was given up.
    if (this.world.plan.spare && view.active !== source) return;
    view.countedAt = this.world.now;
    view.away = false;
  }

  switched(rendition: string, source: string): void {
    this.#view(rendition).active = source;
  }

  /** What may be lost is counted anew. */
  recovered(): void {
    this.#countedFrom = this.world.now;
    this.#healthySince = this.world.now;
  }

  /** A write has failed: nobody can be behind before the next. */
  writeFailed(): void {
    this.#healthySince = this.world.now;
  }

  restarted(journal: 'kept' | 'empty'): void {
    this.recovered();
    for (const view of this.#views.values()) view.active = undefined;
    this.answers.restarted();
    this.#putting.clear();
    if (journal === 'kept') return;
    for (const view of this.#views.values()) {
      view.heard = -1;
      for (const fact of view.facts) delete fact.acceptedAt;
    }
    this.#begun = undefined;
  }

  accepted(id: string, fact: Fact | undefined): void {
    this.answers.tell(id);
    if (!fact) return;
    const { now } = this.world;
    this.heard(fact);
    fact.acceptedAt ??= now;
    fact.heardAt ??= now;
    this.#begun ??= { accepted: new Set(), at: now };
    this.#begun.accepted.add(fact.rendition);
  }

  /** An announcement, accepted or refused: what came before it in its session cannot come any more. */
  heard(fact: Fact): void {
    const { now } = this.world;
    if (now - this.#deliveredAt >= 1.5 * TARGET_MS) this.recovered();
    this.#deliveredAt = now;
    const view = this.#view(fact.rendition);
    view.away = false;
    view.heard = Math.max(view.heard, fact.slot);
  }

  /** The operator is told of a gap as soon as it is decided; the version that lists it may wait for the one before. */
  gap(rendition: string, number: number): void {
    const view = this.#view(rendition);
    const { now, sources, uploader, plan } = this.world;
    if (!view.gaps.has(number)) view.gaps.set(number, now);
    const overdueAt = Math.max(view.countedAt, this.#countedFrom) + 1.5 * TARGET_MS - TARGET_MS / 4;
    const hasLeft = sources.every(
      (one) =>
        one.rendition !== rendition ||
        one.said === 'leave' ||
        one.said === 'end' ||
        (plan.spare && one.known !== uploader.life),
    );
    if (now >= overdueAt - 1) view.away = true;
    else if (!view.away && !hasLeft) view.early.push({ number, heard: view.heard });
  }

  /** A version is on its way. */
  decided(rendition: string, text: string): ShortPlaylist {
    const view = this.#view(rendition);
    const { now } = this.world;
    // What comes as soon as the version before is over was decided while that was on its way.
    const since = view.freeAt === now ? view.putAt : now;
    view.putAt = now;
    const playlist = read(text, view.put ?? view.stored, since);
    for (const entry of playlist.entries) {
      if (this.#decidedBy.has(entry.number)) continue;
      this.#decidedBy.set(entry.number, rendition);
      const slot = this.#facts.in(entry)?.slot;
      if (slot !== undefined) this.#losses.numbered(slot, since);
    }
    view.put = playlist;
    return playlist;
  }

  /** It is in the store, or not. */
  over(rendition: string): void {
    this.#view(rendition).freeAt = this.world.now;
  }

  /** Nothing is published before all renditions have a segment, or the time for that is over (DESIGN.md, "Start"). */
  begins(): void {
    const begun = this.#begun;
    if (this.#targetDuration !== undefined || !begun) return;
    const { sources, now, uploader } = this.world;
    const awaited = sources.find(
      ({ rendition, up, online, known, said }) =>
        up && online && known === uploader.life && said !== 'end' && !begun.accepted.has(rendition),
    );
    if (awaited && now < begun.at + 2 * TARGET_MS - 1) this.fault(awaited.rendition, 'it begins without it');
  }

  published(rendition: string, now: ShortPlaylist): void {
    const view = this.#view(rendition);
    const before = view.stored;
    const fault = (text: string): void => this.fault(rendition, text);
    const newLife =
      before?.endList === true && (!now.endList || now.mediaSequence > before.entries.at(-1)!.number);
    if (newLife) {
      this.seen.newLives++;
      this.#targetDuration = undefined;
    }
    if (now.endList && (!before?.endList || newLife) && ++this.seen.ends > this.ends * this.#views.size)
      fault('rule 18: ENDLIST, and no source has ended');
    this.#targetDuration ??= now.targetDuration;
    if (now.targetDuration !== this.#targetDuration) fault('rule 2: TARGETDURATION changed');
    if (now.version !== 8) fault(`rule 13: VERSION ${now.version}`);
    if (now.strange.length > 0) fault(`rule 12: ${now.strange.join(' ')}`);
    if (Number.isNaN(now.discontinuitySequence)) fault('rule 11: no DISCONTINUITY-SEQUENCE');
    if (before)
      checkSuccession(before, now, newLife, {
        fault,
        isListed: (number) => this.#isListed(number),
        seen: this.seen,
      });
    const known = before?.entries.at(-1)?.number ?? -1;
    let total = 0;
    checkEntries(now, { isThere: this.#isThere, fault }, (entry, sequence) => {
      total += entry.seconds;
      if (now.independent && !entry.gap && this.#facts.in(entry)?.independent === false)
        fault(`rule 16: ${entry.number} is not independent`);
      if (entry.number > known) this.#fresh(view, entry, sequence, newLife);
    });
    this.#departures.show(before, now, total);
    view.stored = now;
    this.#leftBehind(view, before, now);
    view.movedAt = view.countedAt = this.world.now;
    view.behindSince = undefined;
  }

  /** Any playlist that is out lists it. */
  #isListed(number: number): boolean {
    return [...this.#views.values()].some(({ stored }) =>
      stored?.entries.some((entry) => entry.number === number),
    );
  }

  /** An entry that no version before listed. */
  #fresh(view: View, entry: ShortEntry, sequence: number, newLife: boolean): void {
    const fault = (text: string): void => this.fault(view.name, text);
    const { number, seconds, dateMs, discontinuity, gap } = entry;
    view.entries.push(entry);
    if (!(Math.round(seconds) <= this.#targetDuration!)) fault(`rule 1: ${number} lasts ${seconds}`);
    if (Number.isNaN(dateMs)) fault(`rule 14: ${number} has no date`);
    if (gap) this.seen.gaps++;
    if (discontinuity) this.seen.discontinuities++;
    const fact = gap ? undefined : this.#facts.in(entry);
    const endMs = endOf(entry);
    const line = this.#lines.get(number);
    if (line) {
      if (line.discontinuity !== discontinuity) fault(`rule 20: discontinuity of ${number}`);
      if (line.sequence !== sequence)
        fault(`rule 20: discontinuity sequence of ${number}: ${sequence}, not ${line.sequence}`);
      const isApart =
        Math.abs(line.dateMs - dateMs) > PICTURE_MS && Math.abs(line.endMs - endMs) > PICTURE_MS;
      const isPart = line.partial || (fact?.whole === false && line.slot === undefined);
      if (isApart && !isPart) fault(`rule 20: ${number} is dated ${dateMs - line.dateMs} ms apart`);
      if (fact && line.slot !== undefined && line.slot !== fact.slot)
        fault(`rule 20: ${number} is another segment`);
      if (fact) line.slot ??= fact.slot;
    } else
      this.#lines.set(number, {
        discontinuity,
        sequence,
        dateMs,
        endMs,
        partial: fact?.whole === false,
        ...(fact && { slot: fact.slot }),
      });
    if (gap) return;
    if (!fact) return fault(`${entry.uri} was never put`);
    if (fact.rendition !== view.name) fault(`${entry.uri} is of ${fact.rendition}`);
    if (Math.abs(seconds * 90_000 - (fact.end - fact.start)) > 1)
      fault(`rule 15: ${number} lasts ${seconds} s`);
    this.#follows(view, entry, fact, { newLife, isTagged: sequence > view.sequence });
    view.last = fact;
    view.sequence = sequence;
  }

  /** HLS-RULES 7, and that nothing is listed twice or out of order. */
  #follows(
    view: View,
    { number, discontinuity }: ShortEntry,
    fact: Fact,
    { newLife, isTagged }: { newLife: boolean; isTagged: boolean },
  ): void {
    const { last } = view;
    if (!last || newLife) return;
    const isAfter = last.slot < fact.slot || (last.clock === fact.clock && last.end <= fact.start);
    if (!isAfter) this.fault(view.name, `rule 4: ${number} is not after the one before`);
    const before = view.entries.at(-2);
    const hole =
      before && !before.gap && before.number === number - 1 && Math.abs(fact.start - last.end) > FRAME_90K;
    if (!isTagged && (last.clock !== fact.clock || hole))
      this.fault(view.name, `rule 7: ${number} without discontinuity`);
    if (last.source !== fact.source) this.seen.switches++;
    else if (
      discontinuity &&
      !this.causes &&
      !this.world.plan.spare &&
      this.#decidedBy.get(number) === view.name &&
      last.slot === fact.slot - 1 &&
      last.whole &&
      fact.whole &&
      !this.#isShort(number - 1, before)
    )
      this.fault(view.name, `a discontinuity at ${number} for nothing`);
  }

  /** Another rendition has less there, and a hole after it. */
  #isShort(number: number, own: ShortEntry | undefined): boolean {
    const others = [...this.#views.values()].flatMap(
      ({ put }) => put?.entries.filter((one) => one.number === number) ?? [],
    );
    return others.some((one) => own && endOf(own) - endOf(one) > PICTURE_MS);
  }

  /** Live edges that stand still while this one moves (HLS-RULES 6, 20). */
  #leftBehind(view: View, before: ShortPlaylist | undefined, now: ShortPlaylist): void {
    if (now.endList || !before) return;
    const edge = before.entries.at(-1)!.number;
    for (const other of this.#views.values()) {
      const behind = edge - (other.stored?.entries.at(-1)?.number ?? Infinity);
      if (other === view || behind < 2 || other.stored?.endList) continue;
      other.behindSince ??= this.world.now;
      const still = this.world.now - Math.max(other.behindSince, other.movedAt, this.#healthySince);
      // What was accepted is never lost by deadline.
      const isPending = other.facts.some(
        ({ slot, acceptedAt }) => acceptedAt !== undefined && slot > (other.last?.slot ?? -1),
      );
      if (still > 3 * TARGET_MS && !isPending)
        this.fault(other.name, `rule 6: ${behind} entries behind, and has not moved for ${still} ms`);
    }
  }

  /** A key means these bytes only (DESIGN.md, rule 3). */
  putting(key: string, segment: SegmentId): void {
    const id = idOf(segment);
    const uri = key.slice('live/'.length);
    if (!this.#facts.put(uri, id)) this.fault(key, 'rule 3 of DESIGN.md: the key stands for two segments');
    this.#putting.set(id, uri);
  }

  answered(segment: SegmentId, answer: Extract<Effect, { type: 'answer' }>['answer']): void {
    const id = idOf(segment);
    this.answers.given(id, answer.type);
    const uri = this.#putting.get(id);
    this.#putting.delete(id);
    if (answer.type === 'dropped') this.#dropped(this.#facts.of(id), answer.code);
    if (uri !== undefined && answer.type === 'published' && !this.#departures.has(uri))
      this.fault(id, 'rule 7 of DESIGN.md: answered as published, and no playlist has listed it');
  }

  #dropped(fact: Fact | undefined, code: DroppedCode): void {
    if (!fact) return;
    const { facts } = this.#view(fact.rendition);
    const isTwice = facts.some(
      (one) => one !== fact && one.slot === fact.slot && (one.acceptedAt !== undefined || one.lost),
    );
    // Of two sources that are not known to be the same encode, the spare's goes by when a sibling has published its time.
    if (code === 'duplicate' && !isTwice && !this.world.plan.spare)
      this.fault(fact.id, 'rule 7 of DESIGN.md: dropped as duplicate of nothing');
    if (code === 'duplicate' || code === 'backlog') this.#losses.pass(fact);
    this.recorded.forget(fact);
  }

  removed(key: string): void {
    this.seen.deletions++;
    const uri = key.slice('live/'.length);
    for (const { name, stored } of this.#views.values())
      if (stored?.entries.some((entry) => entry.uri === uri)) this.fault(name, `rule 3: ${uri} is deleted`);
    if (this.recorded.names(uri)) this.fault(uri, 'rule 3: deleted, and a recording lists it');
    this.#departures.removed(uri);
  }

  /** ENDLIST comes when every connected source has ended (DESIGN.md, "Leave and end are different"). */
  ended(): void {
    this.#losses.ended(this.world.now);
    // What one playlist said before a restart, all say.
    if ([...this.#views.values()].some(({ stored }) => stored?.endList)) return;
    const { sources, uploader } = this.world;
    for (const { rendition, up, online, said, known } of sources)
      if (up && online && said === 'segment' && known === uploader.life)
        this.fault(rendition, 'rule 18: the stream ends while it delivers');
  }

  /** All is well: what was cut last is what all playlists list last. */
  expectEdge(slot: number): void {
    for (const { name, last } of this.#views.values())
      if (last?.slot !== slot)
        this.fault(name, `rule 6 of DESIGN.md: ${slot - (last?.slot ?? 0)} segments could be listed`);
  }

  expectEnd(): void {
    for (const { name, stored } of this.#views.values())
      if (!stored?.endList) this.fault(name, 'rule 18: no ENDLIST');
    this.answers.expectAll();
  }

  /** What could be published was published, and gaps stand for what was lost only (DESIGN.md, rule 6). */
  finish(): void {
    for (const { name, last, stored } of this.#views.values())
      if (last) this.recorded.expectEdge(name, stored!.entries.at(-1)!.number, this.world.plan.ends);
    if (this.tables) return;
    for (const view of this.#views.values()) this.#losses.check(view);
  }
}
