import { random, Timetable } from '../timetable.js';
import { ShortEncoder, Source } from './feed.js';
import { TARGET_SECONDS, WRAP, type Happening, type Plan } from './plan.js';
import { ShortUploader } from './uploader.js';
import { ShortViewers } from './viewers.js';

/** A channel for a few segments, in simulated time: far less of each part than in `World`, so that there can be very many. */
export class ShortWorld {
  readonly random: () => number;
  readonly sources: Source[];
  readonly encoder = new ShortEncoder(this);
  readonly viewers: ShortViewers;
  readonly uploader: ShortUploader;
  readonly happened = {
    wraps: 0,
    restarts: 0,
    takeOvers: 0,
    storeFailures: 0,
    losses: 0,
    duplicates: 0,
    clockSteps: 0,
  };
  readonly #time = new Timetable();
  #sessions = 0;

  constructor(
    readonly plan: Plan,
    /** The pure `reduce` beside the step that changes the state in place; both must come to the same. */
    options: { both?: boolean } = {},
  ) {
    this.random = random(plan.seed);
    this.viewers = new ShortViewers(this);
    this.uploader = new ShortUploader(this, options.both ?? false);
    const names = plan.spare ? ['a', 'b'] : ['a'];
    this.sources = plan.renditions.flatMap((rendition) =>
      names.map((name) => new Source(this, rendition, name)),
    );
  }

  get now(): number {
    return this.#time.now;
  }

  after(ms: number, run: () => void, life = 0): void {
    this.#time.at(this.now + ms, run, life);
  }

  withdraw(life: number): (() => void)[] {
    return this.#time.withdraw(life);
  }

  newSession(): string {
    return (++this.#sessions).toString(16).padStart(32, '0');
  }

  /** All of the plan, then all is mended, and what could be published must be. */
  run(): this {
    const { plan, encoder, sources, viewers } = this;
    this.uploader.start('kept');
    encoder.begin(plan.firstPts);
    for (const source of sources) source.start();
    for (const round of plan.rounds) this.#round(round);
    this.#heal();
    for (let i = 0; i < 3; i++) this.#round([]);
    this.#time.run(1000);
    viewers.expectEdge(encoder.slot - 1);
    if (plan.ends) {
      for (const source of sources) source.stop('end');
      this.#time.run(8000);
      viewers.expectEnd();
    } else this.#time.run(1500);
    viewers.finish();
    return this;
  }

  /** While one segment is filled. */
  #round(happenings: readonly Happening[]): void {
    const { encoder } = this;
    const end = encoder.end();
    const [fromMs, toMs] = [encoder.msOf(encoder.start), encoder.msOf(end)];
    for (const happening of happenings) {
      this.#time.run(Math.max(0, Math.min(fromMs + happening.atMs, toMs - 1) - this.now));
      this.#happen(happening);
      if (encoder.start >= end || !encoder.runs || encoder.msOf(encoder.start) !== fromMs) return;
    }
    this.#time.run(Math.max(0, toMs - this.now));
    if (Math.floor(end / WRAP) > Math.floor(encoder.start / WRAP)) this.happened.wraps++;
    const first = Math.floor(this.random() * this.sources.length);
    for (let i = 0; i < this.sources.length; i++) this.sources[(first + i) % this.sources.length]!.cut(end);
    encoder.start = end;
    encoder.slot++;
  }

  #happen({ what, who, forMs }: Happening): void {
    const { encoder, sources, uploader, viewers } = this;
    const source = sources[Math.floor(who * sources.length)]!;
    switch (what) {
      case 'kill':
        source.kill();
        return this.after(forMs, () => source.start());
      case 'leave':
        source.stop('leave');
        return this.after(forMs, () => source.start());
      case 'spool-lost':
        this.happened.losses++;
        source.loseSpool();
        return this.after(forMs, () => source.start());
      case 'link-cut':
        source.cutLink();
        return this.after(forMs, () => source.mendLink());
      case 'late':
        source.slowMs = forMs;
        return;
      case 'refused':
      case 'unwritten':
      case 'unheard':
      case 'vanished':
        this.happened.losses++;
        source.next = what;
        return;
      case 'dependent':
        source.next = what;
        return;
      case 'duplicate':
        return source.repeat(who);
      case 'store-down':
        this.happened.storeFailures++;
        uploader.setStore(false);
        return this.after(2 * forMs, () => uploader.setStore(true));
      case 'puts-hang':
        uploader.hangs = true;
        return this.after(forMs, () => (uploader.hangs = false));
      case 'writes-fail':
        this.happened.storeFailures++;
        uploader.failures = 1 + Math.floor(who * 4);
        return;
      case 'uploader-killed':
      case 'uploader-emptied':
        this.happened.restarts++;
        uploader.kill();
        return this.after(forMs / 2, () => uploader.start(what === 'uploader-killed' ? 'kept' : 'empty'));
      case 'take-over':
        this.happened.takeOvers++;
        uploader.kill();
        return uploader.start('empty');
      case 'clock-step':
        this.happened.clockSteps++;
        viewers.causes = true;
        encoder.wallOffMs = Math.round((who - 0.5) * 0.9 * TARGET_SECONDS * 1000);
        return;
      case 'tables':
        // What a spare says of itself is not told from what is listed yet.
        if (this.plan.spare) return;
        viewers.tables = true;
        viewers.causes = true;
        for (const one of sources) one.changed = true;
        return;
      case 'date-range':
        return uploader.happen({
          type: 'date-range-given',
          range: {
            id: `range-${this.now}`,
            startDateMs: this.now + encoder.wallOffMs - forMs,
            durationSeconds: forMs / 500,
          },
        });
      case 'encoder-again':
        return this.#encoderAgain('leave', forMs, true);
      case 'encoder-away':
        return this.#encoderAgain('leave', forMs, false);
      case 'end':
        return this.#encoderAgain('end', forMs, true);
    }
  }

  #encoderAgain(how: 'leave' | 'end', forMs: number, newClock: boolean): void {
    const { encoder, sources, viewers } = this;
    viewers.causes = true;
    for (const source of sources) source.stop(how);
    encoder.stop();
    this.#time.run(TARGET_SECONDS * 1000 + forMs);
    // Not where the old one stands: what touches is the same clock, whatever the wall clock says (DESIGN.md).
    const ahead = 1000 + Math.floor(this.random() * 90_000);
    if (newClock) encoder.begin((encoder.nextKey() + ahead * 90_000 + 3600) % WRAP);
    else encoder.goOn();
    this.#time.run(Math.max(0, encoder.msOf(encoder.start) - this.now));
    for (const source of sources) source.start();
  }

  #heal(): void {
    const { uploader, sources } = this;
    uploader.heal();
    for (const source of sources) {
      source.next = undefined;
      source.slowMs = 0;
      source.mendLink();
      source.start();
      // Whatever it is slow to say, it says now.
      source.connect();
    }
  }
}
