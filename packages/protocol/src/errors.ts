export type ProtocolErrorCode =
  /** More bytes without a newline than the decoder holds. */
  | 'line-too-long'
  /** A line is not UTF-8. */
  | 'bad-utf8'
  /** A line is not a JSON object. */
  | 'bad-json'
  /** JSON, but no message of this protocol. */
  | 'bad-message'
  /** A legacy line with a field that cannot be. */
  | 'bad-legacy-line';

export interface ProtocolErrorDetails {
  session?: string | undefined;
  index?: number | undefined;
  cause?: unknown;
}

/** What the peer sent cannot be used. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  /** Session and index the bad message was about, where they could be read: it can be rejected alone. */
  readonly session: string | undefined;
  readonly index: number | undefined;

  /** @param fatal where the next message starts is no longer known: the connection must be closed */
  constructor(
    readonly code: ProtocolErrorCode,
    readonly fatal: boolean,
    message: string,
    details: ProtocolErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.session = details.session;
    this.index = details.index;
  }
}
