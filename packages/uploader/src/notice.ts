import type { Gap, Segment } from '@hls-uplink/protocol';
import type { Clock } from '@hls-uplink/runtime';

/** What waited for the connection is known as a whole when nothing has been announced for so long, milliseconds. */
const QUIET_MS = 300;
/** Of what comes meanwhile so many are told at once. */
const MOST_UNTOLD = 128;

export interface NoticeOptions {
  clock: Clock;
  /** Aborted with the connection. */
  signal: AbortSignal;
  tell: (announcements: readonly (Segment | Gap)[]) => void;
}

/**
 * What the channel is told of announcements before their bytes are here. At first many may come, all that waited for the
 * connection: they are told together, so that what is too old is dropped before the first byte of it is asked for.
 */
export class Notice {
  /** Resolves when what waited has been told, or the connection is gone; from then on each is told at once. */
  readonly quiet: Promise<void>;
  readonly #options: NoticeOptions;
  #untold: (Segment | Gap)[] = [];
  #isQuiet = false;
  #resolve: () => void = () => undefined;
  #cancel: () => void = () => undefined;

  constructor(options: NoticeOptions) {
    this.#options = options;
    this.quiet = new Promise((resolve) => (this.#resolve = resolve));
    this.heard();
    const gone = (): void => {
      this.#cancel();
      this.#resolve();
    };
    options.signal.addEventListener('abort', gone, { once: true });
  }

  /** Something was announced: more may come. */
  heard(): void {
    if (this.#isQuiet) return;
    this.#cancel();
    this.#cancel = this.#options.clock.after(QUIET_MS, () => {
      this.#isQuiet = true;
      this.#tell();
      this.#resolve();
    });
  }

  /** In order of index. */
  add(announcement: Segment | Gap): void {
    this.#untold.push(announcement);
    if (this.#isQuiet || this.#untold.length >= MOST_UNTOLD) this.#tell();
  }

  #tell(): void {
    const announcements = this.#untold;
    this.#untold = [];
    if (announcements.length > 0 && !this.#options.signal.aborted) this.#options.tell(announcements);
  }
}
