import type { DroppedCode, SegmentId } from '@hls-uplink/protocol';
import type { Effect } from '../../event.js';
import { idOf, type Fact } from './feed.js';
import { read, type ShortEntry, type ShortPlaylist } from './playlist.js';
import { TARGET_SECONDS } from './plan.js';
import { View, type Line, type Shown } from './view.js';
import type { ShortWorld } from './world.js';

const TARGET_MS = 1000 * TARGET_SECONDS;
/** One picture at 25 Hz, ticks. */
const FRAME_90K = 3601;
/** The same, and what rounding adds: so far apart an end and a start may be and still touch. */
const PICTURE_MS = 42;
const WINDOW = 3;

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
  /** Announcements of `end`. */
  ends = 0;
  /** The script has done what may begin an epoch. */
  causes = false;
  /** Tracks changed: what is said of it in a slot that a sibling lists already, or where it is lost, costs a segment. */
  tables = false;
  readonly #views: Map<string, View>;
  readonly #facts = new Map<string, Fact>();
  readonly #byUri = new Map<string, string>();
  readonly #lines = new Map<number, Line>();
  readonly #shown = new Map<string, Shown>();
  /** Announcements that wait for their final answer, and that were told to the uploader that runs. */
  readonly #open = new Set<string>();
  readonly #told = new Set<string>();
  readonly #putting = new Map<string, string>();
  /** Dropped because another source had it first, or because too much waited. */
  readonly #passed = new Set<string>();
  #countedFrom = 0;
  #healthySince = 0;
  #deliveredAt = 0;
  #begun: { accepted: Set<string>; at: number } | undefined;
  #targetDuration: number | undefined;

  constructor(private readonly world: ShortWorld) {
    this.#views = new Map(world.plan.renditions.map((name) => [name, new View(name)]));
  }

  fault(where: string, fault: string): void {
    this.faults.push(`${where} at ${this.world.now % 1_000_000}: ${fault}`);
  }

  #view(rendition: string): View {
    return this.#views.get(rendition)!;
  }

  fact(id: SegmentId): Fact | undefined {
    return this.#facts.get(idOf(id));
  }

  cut(fact: Fact): void {
    this.#facts.set(fact.id, fact);
    this.#view(fact.rendition).facts.push(fact);
  }

  announced(id: string): void {
    this.#open.add(id);
  }

  /** It went with its spool; nobody waits for its answer. */
  forget(id: string): void {
    this.#open.delete(id);
  }

  /** Its segmenter has the final answer. */
  settled(id: string, type: string): void {
    if (!this.#open.delete(id)) this.fault(id, `a second final answer: ${type}`);
  }

  connected(rendition: string): void {
    const view = this.#view(rendition);
    view.movedAt = this.world.now;
    view.away = false;
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
    this.#told.clear();
    this.#putting.clear();
    if (journal === 'kept') return;
    for (const view of this.#views.values()) {
      view.heard = -1;
      for (const fact of view.facts) delete fact.acceptedAt;
    }
    this.#begun = undefined;
  }

  accepted(id: string, fact: Fact | undefined): void {
    this.#told.add(id);
    if (!fact) return;
    const { now } = this.world;
    this.heard(fact);
    fact.acceptedAt ??= now;
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
    const { now, sources } = this.world;
    view.gaps.set(number, now);
    const overdueAt = Math.max(view.movedAt, this.#countedFrom) + 1.5 * TARGET_MS - TARGET_MS / 4;
    const hasLeft = sources.every(
      (one) => one.rendition !== rendition || one.said === 'leave' || one.said === 'end',
    );
    if (now >= overdueAt - 1) view.away = true;
    else if (!view.away && !hasLeft) view.early.push({ number, heard: view.heard });
  }

  /** A version is on its way. */
  decided(rendition: string, text: string): ShortPlaylist {
    const view = this.#view(rendition);
    const { now } = this.world;
    const playlist = read(text, view.put ?? view.stored, now);
    this.#begins(rendition);
    view.put = playlist;
    return playlist;
  }

  /** Nothing is published before all renditions have a segment, or the time for that is over (DESIGN.md, "Start"). */
  #begins(rendition: string): void {
    const begun = this.#begun;
    if (this.#targetDuration !== undefined || !begun) return;
    const { sources, now } = this.world;
    const awaited = sources.filter(
      ({ rendition: name, up, online, connection }) =>
        up && online && connection > 0 && !begun.accepted.has(name),
    );
    if (awaited.length > 0 && now < begun.at + 2 * TARGET_MS - 1)
      this.fault(rendition, `it begins without ${awaited[0]!.rendition}`);
  }

  published(rendition: string, now: ShortPlaylist): void {
    const view = this.#view(rendition);
    const before = view.stored;
    const fault = (text: string): void => this.fault(rendition, text);
    const newLife = before?.endList === true && !now.endList;
    if (newLife) {
      this.seen.newLives++;
      this.#targetDuration = undefined;
    }
    if (now.endList && !before?.endList && ++this.seen.ends > this.ends * this.#views.size)
      fault('rule 18: ENDLIST, and no source has ended');
    this.#targetDuration ??= now.targetDuration;
    if (now.targetDuration !== this.#targetDuration) fault('rule 2: TARGETDURATION changed');
    if (now.version !== 8) fault(`rule 13: VERSION ${now.version}`);
    if (now.strange.length > 0) fault(`rule 12: ${now.strange.join(' ')}`);
    if (Number.isNaN(now.discontinuitySequence)) fault('rule 11: no DISCONTINUITY-SEQUENCE');
    if (before) this.#between(rendition, before, now, newLife);
    const known = before?.entries.at(-1)?.number ?? -1;
    let sequence = now.discontinuitySequence;
    let total = 0;
    let dueMs = NaN;
    for (const entry of now.entries) {
      if (entry.discontinuity) sequence++;
      else if (Math.abs(entry.dateMs - dueMs) > PICTURE_MS)
        fault(`rule 14: ${entry.number} is dated ${entry.dateMs - dueMs} ms off`);
      total += entry.seconds;
      dueMs = entry.dateMs + 1000 * entry.seconds;
      if (!entry.gap && !this.world.uploader.segments.has(`live/${entry.uri}`))
        fault(`rule 3: ${entry.uri} is not there`);
      if (now.independent && !entry.gap && this.#factOf(entry)?.independent === false)
        fault(`rule 16: ${entry.number} is not independent`);
      if (entry.number > known) this.#fresh(view, entry, sequence, newLife);
    }
    this.#show(before, now, total);
    view.stored = now;
    this.#leftBehind(view, before, now);
    view.movedAt = this.world.now;
  }

  #between(rendition: string, before: ShortPlaylist, now: ShortPlaylist, newLife: boolean): void {
    const fault = (text: string): void => this.fault(rendition, text);
    const last = before.entries.at(-1)!.number;
    if (before.endList && !newLife && now.mediaSequence <= last && now.entries.at(-1)!.number !== last)
      fault('rule 18: changed after ENDLIST');
    if (now.mediaSequence < before.mediaSequence) fault('rule 8: MEDIA-SEQUENCE went down');
    if (newLife && now.mediaSequence <= last) fault('rule 8: a new life takes old numbers');
    if (now.entries.at(-1)!.number < last) fault('rule 4: an older version after a newer one');
    if (!newLife && now.independent && !before.independent) fault('rule 16: INDEPENDENT-SEGMENTS returned');
    if (before.independent && !now.independent) this.seen.withdrawn++;
    const removed = now.mediaSequence - before.mediaSequence;
    const skipped = !newLife && now.mediaSequence > last + 1;
    if (skipped) this.seen.skips++;
    let tags = 0;
    for (let i = 0; i < before.entries.length; i++) {
      const old = before.entries[i]!;
      if (i < removed) tags += +old.discontinuity;
      else if (now.entries[i - removed]?.text !== old.text) fault(`rule 4: entry ${old.number} changed`);
    }
    const expected = before.discontinuitySequence + tags;
    if (newLife || skipped ? now.discontinuitySequence < expected : now.discontinuitySequence !== expected)
      fault(
        `rule 11: DISCONTINUITY-SEQUENCE ${before.discontinuitySequence} + ${tags} → ${now.discontinuitySequence}`,
      );
    const ended = before.discontinuitySequence + before.entries.filter((entry) => entry.discontinuity).length;
    if (newLife && now.discontinuitySequence + +now.entries[0]!.discontinuity <= ended)
      fault('rule 7: a new life begins without discontinuity');
    if (removed > 0 && !newLife && !now.endList) {
      const seconds = now.entries.reduce((sum, entry) => sum + entry.seconds, 0);
      if (seconds < 3 * now.targetDuration) fault(`rule 9: only ${seconds} s left`);
    }
    if (skipped && now.mediaSequence - last - 1 < WINDOW && this.#isListed(last + 1))
      fault(`rule 6: skips ${now.mediaSequence - last - 1} entries only`);
    if (newLife) return;
    const first = now.entries[0]!.dateMs;
    for (const tag of before.dateRanges) {
      const [, start, seconds] = /START-DATE="([^"]*)".*?DURATION=([\d.]+)/.exec(tag) ?? [];
      const isOver = Date.parse(start!) + 1000 * Number(seconds) <= first;
      if (!isOver && !now.dateRanges.includes(tag)) fault(`rule 17: ${tag} is gone`);
    }
    if (new Set(now.dateRanges).size < now.dateRanges.length) fault('rule 17: a date range twice');
  }

  /** Any playlist that is out lists it. */
  #isListed(number: number): boolean {
    return [...this.#views.values()].some(({ stored }) =>
      stored?.entries.some((entry) => entry.number === number),
    );
  }

  #factOf(entry: ShortEntry): Fact | undefined {
    return this.#facts.get(this.#byUri.get(entry.uri) ?? '');
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
    const fact = gap ? undefined : this.#factOf(entry);
    const endMs = dateMs + 1000 * seconds;
    const line = this.#lines.get(number);
    if (line) {
      if (line.discontinuity !== discontinuity) fault(`rule 20: discontinuity of ${number}`);
      if (line.sequence !== sequence)
        fault(`rule 20: discontinuity sequence of ${number}: ${sequence}, not ${line.sequence}`);
      if (Math.abs(line.dateMs - dateMs) > PICTURE_MS && Math.abs(line.endMs - endMs) > PICTURE_MS)
        fault(`rule 20: ${number} is dated ${dateMs - line.dateMs} ms apart`);
      if (fact && line.slot !== undefined && line.slot !== fact.slot)
        fault(`rule 20: ${number} is another segment`);
      if (fact) line.slot ??= fact.slot;
    } else
      this.#lines.set(number, {
        discontinuity,
        sequence,
        dateMs,
        endMs,
        listedBy: view.name,
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
      this.#lines.get(number)?.listedBy === view.name &&
      last.slot === fact.slot - 1 &&
      last.whole &&
      fact.whole
    )
      this.fault(view.name, `a discontinuity at ${number} for nothing`);
  }

  #show(before: ShortPlaylist | undefined, now: ShortPlaylist, total: number): void {
    for (const { uri, gap, number } of before?.entries ?? []) {
      if (gap || number >= now.mediaSequence) continue;
      const shown = this.#shown.get(uri);
      if (shown) shown.removedAt ??= this.world.now;
    }
    for (const { uri, seconds, gap } of now.entries) {
      if (gap) continue;
      const shown = this.#shown.get(uri);
      if (!shown) this.#shown.set(uri, { seconds, longest: total });
      else if (shown.longest < total) shown.longest = total;
    }
  }

  /** Live edges that stand still while this one moves (HLS-RULES 6, 20). */
  #leftBehind(view: View, before: ShortPlaylist | undefined, now: ShortPlaylist): void {
    if (now.endList || !before) return;
    const edge = before.entries.at(-1)!.number;
    for (const other of this.#views.values()) {
      const behind = edge - (other.stored?.entries.at(-1)?.number ?? Infinity);
      if (other === view || behind < 2 || other.stored?.endList) continue;
      const still = this.world.now - Math.max(other.movedAt, this.#healthySince);
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
    const meaning = this.#byUri.get(uri) ?? id;
    if (meaning !== id) this.fault(key, 'rule 3 of DESIGN.md: the key stands for two segments');
    this.#byUri.set(uri, id);
    this.#putting.set(id, uri);
  }

  answered(segment: SegmentId, answer: Extract<Effect, { type: 'answer' }>['answer']): void {
    const id = idOf(segment);
    if (!this.#told.delete(id))
      this.fault(id, `rule 7 of DESIGN.md: ${answer.type} although nothing was asked`);
    const uri = this.#putting.get(id);
    this.#putting.delete(id);
    if (answer.type === 'dropped') this.#dropped(this.#facts.get(id), answer.code);
    if (uri !== undefined && answer.type === 'published' && !this.#shown.has(uri))
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
    if (code === 'duplicate' || code === 'backlog') this.#passed.add(fact.id);
  }

  /** What left stays for its duration and that of the longest playlist that listed it (HLS-RULES 10). */
  removed(key: string): void {
    this.seen.deletions++;
    const uri = key.slice('live/'.length);
    for (const { name, stored } of this.#views.values())
      if (stored?.entries.some((entry) => entry.uri === uri)) this.fault(name, `rule 3: ${uri} is deleted`);
    const shown = this.#shown.get(uri);
    if (!shown) return;
    const early = (shown.removedAt ?? Infinity) + 1000 * (shown.seconds + shown.longest) - this.world.now;
    if (early > 1) this.fault(uri, `rule 10: deleted ${early.toFixed(0)} ms before it may go`);
  }

  /** ENDLIST comes when every connected source has ended (DESIGN.md, "Leave and end are different"). */
  ended(): void {
    for (const { rendition, up, online, said } of this.world.sources)
      if (up && online && said === 'segment')
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
    for (const id of this.#open) this.fault(id, 'rule 7 of DESIGN.md: no final answer');
  }

  /** What could be published was published, and gaps stand for what was lost only (DESIGN.md, rule 6). */
  finish(): void {
    if (this.tables) return;
    for (const view of this.#views.values()) {
      this.#missing(view);
      for (const { number, heard } of view.early) {
        const slot = this.#lines.get(number)?.slot;
        const isListed = view.entries.some((entry) => entry.number === number && entry.gap);
        if (slot === undefined || heard > slot || !isListed) continue;
        const lost = view.facts.some((fact) => fact.slot === slot && (fact.lost || !fact.whole));
        if (!lost) this.fault(view.name, `rule 6 of DESIGN.md: the gap ${number} came before its deadline`);
      }
    }
  }

  #missing(view: View): void {
    const had = new Map<number, number>();
    // What two sources had, and one was told to forget, may be lost with the other.
    const passed = new Set(view.facts.filter(({ id }) => this.#passed.has(id)).map(({ slot }) => slot));
    for (const { slot, whole, lost, acceptedAt } of view.facts) {
      if (!whole || lost || acceptedAt === undefined || passed.has(slot)) continue;
      had.set(slot, Math.min(acceptedAt, had.get(slot) ?? Infinity));
    }
    // From the last entry on: when what stands where a segment should be was decided.
    let until = Infinity;
    let decidedAt = Infinity;
    for (const entry of view.entries.toReversed()) {
      const slot = entry.gap ? this.#lines.get(entry.number)?.slot : this.#factOf(entry)?.slot;
      if (slot === undefined) {
        decidedAt = Math.min(decidedAt, entry.decidedAt, view.gaps.get(entry.number) ?? Infinity);
        continue;
      }
      if (until !== Infinity) this.#needless(view, had, slot + 1, until, decidedAt);
      const at = Math.min(entry.decidedAt, (entry.gap && view.gaps.get(entry.number)) || Infinity);
      if (entry.gap) this.#needless(view, had, slot, slot + 1, at);
      [until, decidedAt] = [slot, at];
    }
  }

  /** When a rendition listed what comes after a slot that has no number: from then on it can have none. */
  #goneBy(slot: number): number {
    if ([...this.#lines.values()].some((line) => line.slot === slot)) return Infinity;
    const later = [...this.#views.values()].flatMap(({ entries }) =>
      entries.filter((entry) => (this.#factOf(entry)?.slot ?? -1) > slot),
    );
    return Math.min(...later.map(({ decidedAt }) => decidedAt));
  }

  #needless(view: View, had: Map<number, number>, from: number, to: number, decidedAt: number): void {
    for (let slot = from; slot < to; slot++) {
      const acceptedAt = had.get(slot);
      if (acceptedAt === undefined || acceptedAt >= decidedAt || acceptedAt >= this.#goneBy(slot)) continue;
      this.fault(
        view.name,
        `rule 6 of DESIGN.md: segment ${slot} was accepted ${decidedAt - acceptedAt} ms before it was gone by`,
      );
    }
  }
}
