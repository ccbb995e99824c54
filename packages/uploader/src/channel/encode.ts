import type { Gap, Segment } from '@hls-uplink/protocol';
import { startBy } from './epoch.js';
import { keepChanges, sourcesOf } from './source.js';
import type { ChannelState, Item, KeyPrint, RenditionState, SourceState } from './state.js';
import { TICKS_PER_SECOND, unwrapNear } from './ticks.js';

/** So many key pictures of a source are remembered, for one that is some segments behind. */
const REMEMBERED_PRINTS = 64;
/** Who starts no farther from the other than so many target durations is on its clock still. */
const NEAR_TARGETS = 4;

/**
 * What tells one encode from another: the key pictures, by PTS and size. The first one after a start is left out, since
 * sound that belongs before it lies beside it. Sound alone has its segments instead: of the same encode they are the same
 * files, byte for byte.
 */
function printsOf({ keyPictures, discontinuity, ended, startPts, crc32 }: Segment): KeyPrint[] {
  const isWhole = discontinuity === undefined && ended === 'cut';
  if (keyPictures.length === 0) return isWhole ? [[startPts, crc32]] : [];
  return keyPictures
    .slice(discontinuity === undefined ? 0 : 1)
    .map((picture): KeyPrint => [picture.pts, picture.bytes]);
}

/** What is listed before it is of another source, and known to be another encode. */
export function isOtherEncode(
  state: ChannelState,
  { queue, listedBy }: RenditionState,
  { id }: Item,
): boolean {
  const at = queue.items.findIndex((one) => one.id.session === id.session && one.id.index === id.index);
  const queued = queue.items.slice(0, Math.max(0, at)).findLast((one) => one.state !== 'lost');
  const before = state.sources[queued?.id.session ?? listedBy ?? ''];
  const source = state.sources[id.session];
  if (!before || !source || before.facts.source === source.facts.source) return false;
  return before.same === false || source.same === false;
}

/** Whether what two sources have in common agrees; undefined when they have nothing. */
function agree(prints: readonly KeyPrint[], others: readonly KeyPrint[]): boolean | undefined {
  const sizes = new Map(others);
  const common = prints.filter(([pts]) => sizes.has(pts));
  return common.length === 0 ? undefined : common.every(([pts, size]) => sizes.get(pts) === size);
}

/** It is not the source that the rendition is published from, nor a new session of that one. */
export function isSpare(state: ChannelState, rendition: RenditionState, source: SourceState): boolean {
  const active = activeOf(state, rendition);
  return active !== undefined && active !== source && active.facts.source !== source.facts.source;
}

/** Another source delivers to the rendition, or is there to do so. */
export function hasOthers(state: ChannelState, { name }: RenditionState, { facts }: SourceState): boolean {
  return sourcesOf(state, name).some(
    (other) =>
      other.facts.source !== facts.source &&
      // Of a session that was read back nobody knows whose it was, and whether it comes again.
      (other.connected || (!other.gone && other.facts.source !== '' && other.deliveredMs !== undefined)),
  );
}

/** The session that the rendition is published from. */
export function activeOf(state: ChannelState, { active }: RenditionState): SourceState | undefined {
  return active === undefined ? undefined : state.sources[active];
}

/** It is active, or the same encode as the active one is. */
export function isAlike(state: ChannelState, rendition: RenditionState, source: SourceState): boolean {
  return source.same === true || !isSpare(state, rendition, source);
}

/**
 * Notes what a source announces, and with it which spares are the same encode as the active one (DESIGN.md, "Redundant
 * sources"). Behind a jump of its clock, or a start on another one, that must be shown anew.
 */
export function compareEncodes(
  state: ChannelState,
  rendition: RenditionState,
  source: SourceState,
  announcement: Segment | Gap,
): void {
  const spare = isSpare(state, rendition, source);
  // Two that stand by are not compared with each other.
  const others = sourcesOf(state, rendition.name).filter(
    (other) => other.facts.source !== source.facts.source && !(spare && isSpare(state, rendition, other)),
  );
  const { discontinuity, startPts } = announcement;
  if (discontinuity === 'start' || discontinuity === 'timestamps') {
    source.prints = [];
    const goesOn = (from: number | undefined): boolean =>
      from !== undefined &&
      Math.abs(unwrapNear(startPts, from) - from) <= NEAR_TARGETS * state.target! * TICKS_PER_SECOND;
    const newest = rendition.queue.last ?? rendition.entries.at(-1);
    const jumps = discontinuity === 'timestamps' || isOnNewClock(state, source, announcement);
    for (const other of others) {
      if (jumps || !goesOn(other.endPts ?? newest?.end)) delete (spare ? source : other).same;
      // What they had in common may come again on the new clock, as it was or not.
      if (jumps && (other.endMs ?? 0) <= Date.parse(announcement.wallClock)) other.prints = [];
    }
  }
  if (announcement.type === 'gap') return;
  const prints = printsOf(announcement);
  source.prints = [...source.prints, ...prints].slice(-REMEMBERED_PRINTS);
  for (const other of others) {
    const same = agree(prints, other.prints);
    if (same === undefined) continue;
    (spare ? source : other).same = same;
    const [active, standby] = spare ? [other, source] : [source, other];
    if (!same || active.instead !== standby.facts.session) continue;
    delete active.instead;
    const newest = active.changed?.at(-1);
    keepChanges(active, (index) => index !== newest);
  }
}

/** It does not go on where its own wall clock says that it would by now. */
export function isOnNewClock(
  state: ChannelState,
  { endPts, endMs = 0 }: SourceState,
  announcement: Segment | Gap,
): boolean {
  if (endPts === undefined) return false;
  return startBy(state, { t0: endPts, date0Ms: endMs }, announcement) === undefined;
}

/** A source of another encode becomes the active one: what the others are to it is known where they have been beside it. */
export function compareAnew(state: ChannelState, rendition: RenditionState, active: SourceState): void {
  for (const source of sourcesOf(state, rendition.name)) {
    const isOther = source.facts.source !== active.facts.source;
    const same = isOther ? agree(source.prints, active.prints) : undefined;
    if (same === undefined) delete source.same;
    else source.same = same;
  }
}
