import { statfsSync } from 'node:fs';
import type { Clock } from '@hls-uplink/runtime';
import type { SpareFiles } from './spare-files.js';

/** One write: large, since each hop to the pool wakes two threads. */
const WRITE_BYTES = 1024 * 1024;
/** A spool in memory is written at once, while the bytes are in the cache. */
const MEMORY_WRITE_BYTES = 128 * 1024;
/**
 * Bytes not yet written from which on whoever writes has to wait, and down to which. From the first on it waits for a
 * while only, so that a fast input takes no more memory than it must, and a live one rides over a disk that stops.
 */
const PENDING_EAGER = 1 << 20;
const EAGER_WAIT_MS = 20;
const PENDING_HIGH = 8 << 20;
const PENDING_LOW = 2 << 20;
/** Write buffers kept for reuse. */
const SPARE_BUFFERS = 2;
/** statfs(2): file systems whose files are memory. */
const TMPFS = 0x0102_1994;
const RAMFS = 0x8584_58f6;

/** What all part files of a spool share: buffers, the count of bytes on their way, and whether the disk answers. */
export class Disk {
  /** Bytes handed to the pool and not yet written. */
  pendingBytes = 0;
  /** Operations given up on that have not returned. */
  stuck = 0;
  readonly #spare: Buffer[] = [];
  #waiting: (() => void)[] = [];

  /**
   * @param stuckMs an operation that takes longer is given up
   * @param inMemory there is no disk: nothing can block, and nothing need be synced
   * @param spares files in memory to be written again
   */
  constructor(
    readonly clock: Clock,
    readonly stuckMs: number,
    readonly inMemory: boolean,
    readonly spares?: SpareFiles,
  ) {}

  buffer(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.inMemory ? MEMORY_WRITE_BYTES : WRITE_BYTES);
  }

  recycle(buffer: Buffer): void {
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer);
  }

  /** A promise when too much is on its way: write on when it resolves. */
  room(): Promise<void> | undefined {
    if (this.pendingBytes > PENDING_HIGH) return this.below(PENDING_LOW);
    return this.pendingBytes > PENDING_EAGER ? this.below(PENDING_EAGER, EAGER_WAIT_MS) : undefined;
  }

  /** Resolves when no more than `bytes` are on their way, or after `ms`. */
  async below(bytes: number, ms = Infinity): Promise<void> {
    let late = false;
    const cancel =
      ms === Infinity
        ? undefined
        : this.clock.after(ms, () => {
            late = true;
            this.#wake();
          });
    while (this.pendingBytes > bytes && !late)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    cancel?.();
  }

  settled(bytes: number): void {
    this.pendingBytes -= bytes;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** `operation`, or a rejection when it takes longer than a stuck disk may; it is then left to itself. */
  async bounded<T>(what: string, operation: Promise<T>): Promise<T> {
    let cancel = (): void => {};
    let givenUp = false;
    let isOver = false;
    const limit = new Promise<never>((_, reject) => {
      const giveUp = (): void => {
        if (isOver) return;
        givenUp = true;
        this.stuck++;
        reject(new Error(`${what}: the disk has not answered for ${this.stuckMs / 1000} s`));
      };
      // Where we were the ones who were held up its answer is there: between two rounds of the event loop it is heard.
      cancel = this.clock.after(this.stuckMs, () => setImmediate(() => setImmediate(giveUp)));
    });
    const done = (): void => {
      isOver = true;
      if (givenUp) this.stuck--;
    };
    operation.then(done, done);
    try {
      return await Promise.race([operation, limit]);
    } finally {
      cancel();
    }
  }
}

const asked = new Map<string, boolean>();

/** Whether the files of a folder are kept in memory, so that no call on them can wait for a disk. Asked once of each. */
export function isInMemory(folder: string): boolean {
  const known = asked.get(folder);
  if (known !== undefined) return known;
  try {
    const { type } = statfsSync(folder);
    const answer = type === TMPFS || type === RAMFS;
    asked.set(folder, answer);
    return answer;
  } catch {
    // Whatever is wrong with it is said when a file is made there.
    return false;
  }
}
