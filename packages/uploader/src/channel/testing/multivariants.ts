import type { StoredObjects } from './audience.js';

/** What viewers see of a multivariant playlist from version to version: that it changes only when it must. */

/** AVERAGE-BANDWIDTH is an estimate, and need not follow what is nearer to it than this (Apple 1.28 allows a tenth). */
const LEAST_RISE = 0.05;
const LEAST_FALL = 0.1;
const BANDWIDTHS = ['BANDWIDTH', 'AVERAGE-BANDWIDTH'];

type Attributes = ReadonlyMap<string, string>;

interface SeenMultivariant {
  text: string;
  /** Comments apart: what it says to players. */
  said: string;
  /** The same without averages: these may come near to what they were. */
  firmly: string;
  writer: string;
  independent: boolean;
  /** By tag and URI, in the order of the playlist. */
  offers: ReadonlyMap<string, Attributes>;
}

const attributesOf = (list: string): Attributes =>
  new Map(Array.from(list.matchAll(/([A-Z-]+)=("[^"]*"|[^,]*)/g), ([, name, value]) => [name!, value!]));

function seeMultivariant(text: string): SeenMultivariant {
  const lines = text.split('\n');
  const offers = new Map<string, Attributes>();
  lines.forEach((line, i) => {
    const [, tag, list = ''] = /^#(EXT-X-(?:I-FRAME-)?STREAM-INF|EXT-X-MEDIA):(.*)$/.exec(line) ?? [];
    if (tag === undefined) return;
    const attributes = attributesOf(list);
    const of = tag === 'EXT-X-STREAM-INF' ? lines[i + 1]! : (attributes.get('URI') ?? list);
    offers.set(`${tag} ${of}`, attributes);
  });
  const [, owner = '{}'] = /^#hls-uplink:(.*)$/m.exec(text) ?? [];
  const said = lines.filter((line) => !line.startsWith('#hls-uplink:')).join('\n');
  return {
    text,
    said,
    firmly: said.replaceAll(/,AVERAGE-BANDWIDTH=\d+/g, ''),
    writer: (JSON.parse(owner) as { writer?: string }).writer ?? '',
    independent: lines.includes('#EXT-X-INDEPENDENT-SEGMENTS'),
    offers,
  };
}

const withoutPictures = (said: string): string => said.replaceAll(/^#EXT-X-I-FRAME-STREAM-INF:.*\n/gm, '');

const isPictures = (what: string): boolean => what.startsWith('EXT-X-I-FRAME-STREAM-INF ');

/** Pictures of what is encrypted from now on are offered no more, by an uploader that was told to encrypt. */
function isWithdrawn(last: SeenMultivariant, now: SeenMultivariant): boolean {
  const [had, has] = [last, now].map(({ offers }) => [...offers.keys()].some(isPictures));
  return last.writer !== now.writer && had === true && has === false;
}

/** All versions of the multivariant playlists of a channel. */
export class Multivariants {
  /** How often it changed for what. */
  readonly reasons: Record<string, number> = {};
  readonly #last = new Map<string, SeenMultivariant & { life: number }>();
  readonly #missed = new Set<string>();
  /** What each has said in this life. */
  readonly #before = new Map<string, Set<string>>();

  constructor(private readonly store: StoredObjects) {}

  /** One version was not stored: the next follows it, and may be near to the one before. */
  missed(key: string): void {
    this.#missed.add(key);
  }

  /** @param life that the media playlists are in */
  faultsOf(key: string, text: string, life: number): string[] {
    const uris = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const missing = uris.filter((uri) => !this.store.texts.has(`live/${uri}`));
    return [
      ...(missing.length > 0 ? [`rule 19: ${missing.join(', ')} not there`] : []),
      ...this.#since(key, text, life),
    ];
  }

  #since(key: string, text: string, life: number): string[] {
    const now = seeMultivariant(text);
    const last = this.#last.get(key);
    // Who takes over says first what it has found, perhaps of the life before, but for pictures that are not to be offered.
    const isFound = last !== undefined && withoutPictures(now.said) === withoutPictures(last.said);
    const of = isFound && now.writer !== last.writer ? last.life : life;
    this.#last.set(key, { ...now, life: of });
    if (!last) return [];
    if (now.text === last.text) return ['stored again as it was'];
    // That it is another uploader's now must be said first.
    if (now.writer !== last.writer) this.#reason('owner');
    if (now.said === last.said)
      return now.writer === last.writer ? ['stored again, only comments differ'] : [];
    if (last.life !== of) {
      this.#before.delete(key);
      this.#reason('life');
      return [];
    }
    const before = this.#before.get(key) ?? new Set();
    this.#before.set(key, before);
    const faults = this.#changes(last, now, !this.#missed.delete(key) && key.endsWith('/index.m3u8'));
    // When that uploader is told otherwise, all is as it was.
    if (isWithdrawn(last, now)) before.clear();
    else if (now.firmly !== last.firmly && before.add(last.firmly).has(now.firmly))
      faults.push('it says again what it had said before');
    return faults;
  }

  #reason(what: string): void {
    this.reasons[what] = (this.reasons[what] ?? 0) + 1;
  }

  #changes(last: SeenMultivariant, now: SeenMultivariant, isNext: boolean): string[] {
    const faults: string[] = [];
    let reasons = 0;
    const must = (what: string): void => {
      reasons++;
      this.#reason(what);
    };
    if (last.independent && !now.independent) must('INDEPENDENT-SEGMENTS');
    else if (last.independent !== now.independent) faults.push('rule 16: INDEPENDENT-SEGMENTS returned');
    for (const [what, attributes] of last.offers) {
      const other = now.offers.get(what);
      if (!other && isPictures(what) && isWithdrawn(last, now)) must('picturesWithdrawn');
      else if (!other) faults.push(`${what} is gone`);
      else {
        const change = changeOf(what, attributes, other, isNext);
        faults.push(...change.faults);
        for (const name of change.reasons) must(name);
      }
    }
    for (const what of now.offers.keys()) if (!last.offers.has(what)) must(what.split(' ')[0]!);
    if (reasons === 0 && faults.length === 0) faults.push('nothing had to change');
    return faults;
  }
}

/** Tracks never change in these worlds. @param isNext of the live one, behind what it said last; else averages may follow in small steps */
function changeOf(
  what: string,
  last: Attributes,
  now: Attributes,
  isNext: boolean,
): { faults: string[]; reasons: string[] } {
  const faults: string[] = [];
  const reasons: string[] = [];
  for (const name of new Set([...last.keys(), ...now.keys()])) {
    const [was, is] = [last.get(name), now.get(name)];
    if (was === is) continue;
    const change = Number(is) / Number(was) - 1;
    const isRise = name === 'BANDWIDTH' && change > 0;
    const isFarOff = name === 'AVERAGE-BANDWIDTH' && (!isNext || change > LEAST_RISE || change < -LEAST_FALL);
    if (isRise || isFarOff) reasons.push(name);
    else if (BANDWIDTHS.includes(name)) faults.push(`${what}: ${name} ${was} → ${is}`);
    else faults.push(`${what}: ${name} was ${was} and is ${is}, and no track has changed`);
  }
  return { faults, reasons };
}
