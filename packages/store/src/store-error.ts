/**
 * What was wrong, for programs:
 *
 * - `missing-bucket` the bucket does not exist
 * - `denied` the store knows the request and refuses it: wrong keys, no permission, no credentials at all
 * - `wrong-region` the bucket lives in another region
 * - `clock-skew` this machine's clock is too far off for signed requests
 * - `not-writable` the folder cannot be written to, or is none
 * - `full` no room left
 * - `exists` the key exists already (`ifAbsent`)
 * - `changed` the object is not the one it was (`ifMatch`): somebody wrote or deleted it
 * - `conflict` another write of the same key was under way
 * - `too-large` the object is larger than asked for, or than the store takes
 * - `refused` the store does not take such a request (an ACL header, an option it does not know)
 * - `unreachable` no connection, or none that moves
 * - `server` the store failed, or is too busy
 * - `unreadable-body` the local file to store is missing, has another size, or cannot be read: no fault of the store
 * - `bad-key` a key that no store should see
 * - `aborted` the caller's signal
 */
export type StoreErrorCode =
  | 'missing-bucket'
  | 'denied'
  | 'wrong-region'
  | 'clock-skew'
  | 'not-writable'
  | 'full'
  | 'exists'
  | 'changed'
  | 'conflict'
  | 'too-large'
  | 'refused'
  | 'unreachable'
  | 'server'
  | 'unreadable-body'
  | 'bad-key'
  | 'aborted';

/** What passes by itself: worth backing off and trying again. For the rest someone has to do something first. */
const PASSING: ReadonlySet<StoreErrorCode> = new Set([
  'clock-skew', // the next request is signed with the server's clock, which the refusal told
  'full',
  'conflict',
  'unreachable',
  'server',
]);

/** An operation on a store failed. The message says what was being done to which object, what was wrong, what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** False: trying again soon does not help; probe seldom (DESIGN.md, rule 12). */
  readonly retryable: boolean;

  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.retryable = PASSING.has(code);
  }
}

/** Throws a StoreError `aborted` when the signal is. `doing` as in "put live/index.m3u8 to file:///srv/live". */
export function throwIfAborted(signal: AbortSignal, doing: string): void {
  if (signal.aborted) throw new StoreError('aborted', `Stopped: ${doing}`, { cause: signal.reason });
}

export function tooLarge(doing: string, bytes: number, maxBytes: number): StoreError {
  return new StoreError(
    'too-large',
    `Cannot ${doing}: it has ${bytes} bytes, and at most ${maxBytes} are read`,
  );
}
