/** The watcher: polls what is published like a viewer, keeps what it saw, and judges it by HLS-RULES. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wallClock, type Clock } from './clock.js';
import { ended, lastLife, type Fetch, type History, type ObservedSegment, type Pause } from './history.js';
import { isMultivariant } from './media-playlist.js';
import { parseMultivariantPlaylist } from './multivariant-playlist.js';
import { RenditionObserver } from './rendition-observer.js';
import { judge, type Report } from './report.js';
import { decrypt } from './decryption.js';
import { inspectSegment } from './segment-facts.js';
import { retainedUntil } from './segment-rules.js';
import { httpTransfer, type Answer, type Transfer } from './transfer.js';

export interface WatchOptions {
  /** Of the multivariant playlist, or of a media playlist that stands alone. */
  url: string;
  /** Names (`low` of `low.m3u8`) whose timestamps come from one clock. Default: all of the channel. */
  renditionsSharingClock?: readonly string[];
  /** Default 100. */
  pollMs?: number;
  /** Rule 9; default 6. */
  minimumSegments?: number;
  /** EXT-X-PLAYLIST-TYPE that the media playlists must have; default none. */
  playlistType?: 'EVENT' | 'VOD';
  /** How long `stop` goes on looking after EXT-X-ENDLIST (rule 18); default 2000. */
  lingerMs?: number;
  /** A folder for the bytes of every segment that was fetched (`ObservedSegment.file`); default: they are not kept. */
  keep?: string;
  transfer?: Transfer;
  clock?: Clock;
}

export interface Watcher {
  /** Everything so far, judged. */
  report(): Report;
  /** Resolves when the condition holds. @throws Error after the time, with the violations so far. */
  until(
    condition: (history: History) => boolean,
    options: { what: string; timeoutMs?: number },
  ): Promise<void>;
  /** No source delivers, or the store refuses: rule 5 waits, until `resumeRule5` counts it anew. */
  pauseRule5(): void;
  resumeRule5(): void;
  /** The server is away: nothing can be fetched and nothing is held against it, until `serverUp`. */
  serverDown(): void;
  serverUp(): void;
  /** After EXT-X-ENDLIST one more life may begin in each rendition. */
  newLife(): void;
  /** Looks at the last things due, and judges. */
  stop(): Promise<Report>;
}

/** Starts watching at once; what is not yet published is waited for. */
export function watch(options: WatchOptions): Watcher {
  return new Watching(options);
}

/** Probes of removed segments (rule 10) are this far apart. */
const probeMs = 1_000;

class Watching implements Watcher {
  private readonly history: History = { renditions: [], multivariant: [], pauses: [], violations: [] };
  private readonly observers = new Map<string, RenditionObserver>();
  private readonly loops: Promise<void>[] = [];
  private readonly fetches = new Set<Promise<void>>();
  private readonly clock: Clock;
  private readonly transfer: Transfer;
  private readonly pollMs: number;
  private newLives = 0;
  private stopping = false;
  private crash: unknown;

  constructor(private readonly options: WatchOptions) {
    this.clock = options.clock ?? wallClock;
    this.transfer = options.transfer ?? httpTransfer();
    this.pollMs = options.pollMs ?? 100;
    this.run(this.poll(options.url, (text, at) => this.entryPoint(text, at)));
    this.run(this.probeRemoved());
  }

  private run(loop: Promise<void>): void {
    this.loops.push(
      loop.catch((error: unknown) => {
        this.crash ??= error;
      }),
    );
  }

  /** Asks for one playlist again and again, conditionally, and hands on what is new. */
  private async poll(
    url: string,
    take: (text: string, at: number) => void,
    first?: (status: number, at: number) => void,
  ): Promise<void> {
    let etag: string | undefined;
    let seen = false;
    let asked = false;
    while (!this.stopping) {
      const from = this.clock.now();
      const answer = await this.ask(url, 'GET', etag === undefined ? {} : { 'if-none-match': etag });
      const at = this.clock.now();
      const status = answer instanceof Error ? 0 : answer.status;
      if (!asked) first?.(status, at);
      asked = true;
      if (!(answer instanceof Error) && status === 200 && answer.complete) {
        seen = true;
        etag = answer.headers['etag'];
        take(Buffer.from(answer.body).toString('utf8'), at);
      } else if (status === 304) this.stillThere(url, at);
      else if (seen && !this.excused(from)) {
        const why =
          answer instanceof Error ? answer.message : answer.complete ? `status ${status}` : 'cut short';
        const name = this.observers.get(url)?.history.name ?? 'multivariant';
        this.history.violations.push({
          rule: 4,
          rendition: name,
          message: `playlist not served: ${why}`,
          at,
        });
      }
      await this.clock.sleep(this.pollMs);
    }
  }

  private stillThere(url: string, at: number): void {
    const observer = this.observers.get(url);
    if (observer !== undefined) observer.history.seenAt = at;
  }

  private entryPoint(text: string, at: number): void {
    const { url } = this.options;
    if (this.observers.has(url)) return this.media(url, text, at);
    if (!isMultivariant(text) && /^#EXT-X-TARGETDURATION:/m.test(text)) {
      this.addRendition(url);
      return this.media(url, text, at);
    }
    if (this.history.multivariant.at(-1)?.text === text) return;
    try {
      const playlist = parseMultivariantPlaylist(text);
      this.history.multivariant.push({ at, text, playlist });
      for (const { uri } of [...playlist.variants, ...playlist.renditions]) this.follow(this.resolve(uri));
    } catch (error) {
      const message = `not a whole multivariant playlist: ${(error as Error).message}`;
      this.history.violations.push({ rule: 4, message, at });
    }
  }

  private follow(url: string): void {
    if (this.observers.has(url)) return;
    const { history } = this.addRendition(url);
    this.run(
      this.poll(
        url,
        (text, at) => this.media(url, text, at),
        (status, at) => (history.firstAnswer = { at, status }),
      ),
    );
  }

  private addRendition(url: string): RenditionObserver {
    const base = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '').replace(/\.m3u8$/, '');
    const taken = this.history.renditions.some(({ name }) => name === base);
    const { minimumSegments = 6, playlistType } = this.options;
    const observer = new RenditionObserver(
      taken ? url : base,
      url,
      { minimumSegments, type: playlistType },
      (violation) => this.history.violations.push(violation),
    );
    this.observers.set(url, observer);
    this.history.renditions.push(observer.history);
    return observer;
  }

  private media(url: string, text: string, at: number): void {
    const maySkip = this.history.pauses.some((pause) => pause.to === undefined || pause.to > at - 30_000);
    const fresh = this.observers.get(url)?.observe(text, at, { newLives: this.newLives, maySkip }) ?? [];
    for (const segment of fresh) {
      if (segment.gap) continue;
      const fetch = this.fetch(segment)
        .catch((error: unknown) => {
          this.crash ??= error;
        })
        .finally(() => this.fetches.delete(fetch));
      this.fetches.add(fetch);
    }
  }

  /** At the moment it is listed (rule 3); again after a declared absence of the server. */
  private async fetch(segment: ObservedSegment): Promise<void> {
    for (;;) {
      const from = this.clock.now();
      const answer = await this.ask(segment.url, 'GET', {});
      const at = this.clock.now();
      const good = !(answer instanceof Error) && answer.status === 200 && answer.complete;
      if (!good && this.excused(from) && !this.stopping) {
        await this.clock.sleep(this.pollMs);
        continue;
      }
      const fetched: Fetch = { at, tookMs: at - from, status: 0, complete: false, error: undefined };
      if (answer instanceof Error) fetched.error = answer.message;
      else Object.assign(fetched, { status: answer.status, complete: answer.complete });
      if (!good && this.excused(from)) return;
      segment.fetch = fetched;
      if (!good) return;
      const body = await this.clear(segment, answer.body);
      if (body === undefined) return;
      segment.facts = inspectSegment(body);
      await this.keep(segment, body);
      return;
    }
  }

  /** The bytes decrypted; without its key a segment is as good as not there (rule 3). */
  private async clear(segment: ObservedSegment, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    const { key, rendition, number } = segment;
    if (key === undefined) return bytes;
    try {
      const answer = await this.ask(key.uri, 'GET', {});
      if (answer instanceof Error) throw answer;
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      return decrypt(bytes, answer.body, key.iv);
    } catch (error) {
      const message = `${number} cannot be decrypted by ${key.uri}: ${(error as Error).message}`;
      this.history.violations.push({ rule: 3, rendition, message, at: this.clock.now() });
      return undefined;
    }
  }

  private async keep(segment: ObservedSegment, body: Uint8Array): Promise<void> {
    const { keep } = this.options;
    if (keep === undefined) return;
    const { rendition, life, number } = segment;
    const file = join(keep, `${encodeURIComponent(rendition)}-${life}-${number}.ts`);
    await mkdir(keep, { recursive: true });
    await writeFile(file, body);
    segment.file = file;
  }

  private async probeRemoved(): Promise<void> {
    while (!this.stopping) {
      await this.clock.sleep(probeMs);
      await this.probe((segment, until) => {
        const last = segment.probes.at(-1)?.at ?? segment.removedAt ?? 0;
        // Twice on the way, and at the very end.
        const nearEnd = until - this.slackMs - this.clock.now() <= 2 * probeMs;
        return nearEnd || this.clock.now() - last >= (until - (segment.removedAt ?? 0)) / 3;
      });
    }
  }

  private async probe(due: (segment: ObservedSegment, until: number) => boolean): Promise<void> {
    const segments = this.history.renditions.flatMap((rendition) => rendition.segments);
    for (const segment of segments) {
      const until = retainedUntil(segment);
      const from = this.clock.now();
      if (until === undefined || from >= until - this.slackMs || !due(segment, until)) continue;
      let answer = await this.ask(segment.url, 'HEAD', {});
      // Some servers and bucket policies know only GET.
      if (answer instanceof Error || answer.status !== 200) answer = await this.ask(segment.url, 'GET', {});
      const at = this.clock.now();
      const status = answer instanceof Error ? 0 : answer.status;
      if (status === 200 || !this.excused(from)) segment.probes.push({ at, status });
    }
  }

  private async ask(
    url: string,
    method: 'GET' | 'HEAD',
    headers: Record<string, string>,
  ): Promise<Answer | Error> {
    try {
      return await this.transfer(url, { method, headers });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Whether the server was declared away at any time since. */
  private excused(since: number): boolean {
    return this.history.pauses.some(({ why, to }) => why === 'down' && (to ?? Infinity) >= since);
  }

  private resolve(uri: string): string {
    return new URL(uri, this.options.url).href;
  }

  /** What may lie between an event and its being seen. */
  private get slackMs(): number {
    return 2 * this.pollMs + 250;
  }

  report(): Report {
    if (this.crash !== undefined) throw new Error('the watcher itself failed', { cause: this.crash });
    const { renditionsSharingClock } = this.options;
    const sharingClock = (name: string): boolean => renditionsSharingClock?.includes(name) ?? true;
    return judge(this.history, { sharingClock, slackMs: this.slackMs }, (uri) => this.resolve(uri));
  }

  async until(
    condition: (history: History) => boolean,
    { what, timeoutMs = 60_000 }: { what: string; timeoutMs?: number },
  ): Promise<void> {
    const deadline = this.clock.now() + timeoutMs;
    while (!condition(this.history)) {
      if (this.clock.now() >= deadline) {
        const { violations, renditions } = this.report();
        const seen = renditions
          .map(({ name, segments }) => `${name}: ${segments.length} segments`)
          .join(', ');
        const said = violations.slice(0, 10).map(({ rule, message }) => `\n  rule ${rule}: ${message}`);
        throw new Error(
          `waited ${timeoutMs} ms in vain for ${what} (${seen || 'nothing seen'})${said.join('')}`,
        );
      }
      await this.clock.sleep(this.pollMs);
    }
  }

  private pause(why: Pause['why']): void {
    if (this.history.pauses.some((pause) => pause.why === why && pause.to === undefined)) return;
    this.history.pauses.push({ from: this.clock.now(), to: undefined, why });
  }

  private resume(why: Pause['why']): void {
    for (const pause of this.history.pauses) if (pause.why === why) pause.to ??= this.clock.now();
  }

  pauseRule5(): void {
    this.pause('stalled');
  }

  resumeRule5(): void {
    this.resume('stalled');
  }

  serverDown(): void {
    this.pause('down');
  }

  serverUp(): void {
    this.resume('down');
  }

  newLife(): void {
    this.newLives += 1;
  }

  async stop(): Promise<Report> {
    const over = this.history.renditions.map((rendition) => rendition.endedAt[lastLife(rendition)] ?? 0);
    const lingerUntil = Math.max(0, ...over) + (this.options.lingerMs ?? 2_000);
    while (this.history.renditions.some(ended) && this.clock.now() < lingerUntil)
      await this.clock.sleep(this.pollMs);
    this.stopping = true;
    await Promise.all([...this.loops, ...this.fetches]);
    // What may go later must still be there now.
    await this.probe(() => true);
    return this.report();
  }
}
