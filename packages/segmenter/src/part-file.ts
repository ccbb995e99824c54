import { open, unlink, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { errorText, type Clock } from '@hls-uplink/runtime';

/** One write: large enough that the hop to the pool costs nothing, small enough to stay in the cache. */
const WRITE_BYTES = 256 * 1024;
/** Write buffers kept for reuse. */
const SPARE_BUFFERS = 4;

/** What all part files of a spool share: buffers, the count of bytes on their way, and whether the disk answers. */
export class Disk {
  /** Bytes handed to the pool and not yet written. */
  pendingBytes = 0;
  /** Operations given up on that have not returned. */
  stuck = 0;
  readonly #spare: Buffer[] = [];
  #waiting: (() => void)[] = [];

  /** @param stuckMs an operation that takes longer is given up */
  constructor(
    readonly clock: Clock,
    readonly stuckMs: number,
  ) {}

  buffer(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(WRITE_BYTES);
  }

  recycle(buffer: Buffer): void {
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer);
  }

  /** Resolves when no more than `bytes` are on their way. */
  async below(bytes: number): Promise<void> {
    while (this.pendingBytes > bytes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  settled(bytes: number): void {
    this.pendingBytes -= bytes;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** `operation`, or a rejection when it takes longer than a stuck disk may; it is then left to itself. */
  async bounded<T>(what: string, operation: Promise<T>): Promise<T> {
    let cancel = (): void => {};
    let givenUp = false;
    const limit = new Promise<never>((_, reject) => {
      cancel = this.clock.after(this.stuckMs, () => {
        givenUp = true;
        this.stuck++;
        reject(new Error(`${what}: the disk has not answered for ${this.stuckMs / 1000} s`));
      });
    });
    const done = (): void => {
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

export interface PartFileResult {
  bytes: number;
  /** CRC-32 as zlib, unsigned. */
  crc32: number;
}

/**
 * A file being written without holding up the event loop: bytes are copied into large buffers, the pool writes them in
 * order and syncs at the end. After an error, or when the disk is stuck, the rest is thrown away and the file removed.
 */
export class PartFile {
  /** Bytes appended. */
  bytes = 0;
  #crc = 0;
  #buffer: Buffer | undefined;
  #filled = 0;
  #failure: Error | undefined;
  #handle: Promise<FileHandle> | undefined;
  #writes: Promise<void> = Promise.resolve();

  constructor(
    readonly path: string,
    private readonly disk: Disk,
  ) {
    if (disk.stuck > 0) this.#failure = new Error(`cannot create ${path}: the disk still does not answer`);
    else this.#writes = this.#create();
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    this.bytes += to - from;
    if (this.#failure) return;
    let at = from;
    while (at < to) {
      this.#buffer ??= this.disk.buffer();
      const taken = Math.min(to - at, this.#buffer.length - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#buffer.length) this.#submit();
    }
  }

  /**
   * Writes the rest and syncs. No more appends after it.
   *
   * @throws Error saying which file could not be written, and why
   */
  async finish(): Promise<PartFileResult> {
    if (this.#filled > 0) this.#submit();
    await this.#writes;
    try {
      if (this.#failure) throw this.#failure;
      const handle = await this.#handle!;
      await this.disk.bounded(`cannot sync ${this.path}`, handle.datasync());
      await this.disk.bounded(`cannot close ${this.path}`, handle.close());
      this.#handle = undefined;
      return { bytes: this.bytes, crc32: this.#crc };
    } catch (error) {
      this.#remove();
      throw failure(`cannot write ${this.path}`, error);
    }
  }

  /** Gives up the file. */
  async discard(): Promise<void> {
    this.#failure ??= new Error('given up');
    await this.#writes;
    this.#remove();
  }

  async #create(): Promise<void> {
    this.#handle = open(this.path, 'wx', 0o644);
    try {
      await this.disk.bounded(`cannot create ${this.path}`, this.#handle);
    } catch (error) {
      this.#failure ??= failure(`cannot create ${this.path}`, error);
    }
  }

  #submit(): void {
    const buffer = this.#buffer!;
    const length = this.#filled;
    this.#buffer = undefined;
    this.#filled = 0;
    const data = buffer.subarray(0, length);
    this.#crc = crc32(data, this.#crc);
    this.disk.pendingBytes += length;
    this.#writes = this.#writes.then(() => this.#write(buffer, length));
  }

  async #write(buffer: Buffer, length: number): Promise<void> {
    let stuck = false;
    try {
      if (this.#failure) return;
      const handle = await this.#handle!;
      for (let at = 0; at < length;) {
        stuck = true;
        const { bytesWritten } = await this.disk.bounded(
          `cannot write ${this.path}`,
          handle.write(buffer, at, length - at),
        );
        stuck = false;
        at += bytesWritten;
      }
    } catch (error) {
      this.#failure ??= failure(`cannot write ${this.path}`, error);
    } finally {
      // The buffer of a write that may still be going on is nobody else's.
      if (!stuck) this.disk.recycle(buffer);
      this.disk.settled(length);
    }
  }

  /** Closes and removes what there is, whenever the disk lets it; nothing waits for that. */
  #remove(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    if (!handle) return;
    handle
      .then((opened) => opened.close())
      .then(
        () => unlink(this.path),
        () => unlink(this.path),
      )
      .catch(() => {
        // The spool's owner removes leftovers when it opens it.
      });
  }
}

function failure(what: string, cause: unknown): Error {
  const text = errorText(cause);
  return new Error(text.startsWith('cannot ') ? text : `${what}: ${text}`, { cause });
}
