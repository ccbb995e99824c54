/** What the operator set cannot work. The process says it in one line and exits with 2 before starting. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /**
   * @param code stable, for scripts: `bad-option`, `unknown-option`, `port-taken`, …
   * @param message what was being done to which object, what was wrong, and what to do about it
   */
  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** One line for a log: message and the messages of its causes, never a stack. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || error.name;
  const cause = error.cause === undefined ? '' : errorText(error.cause);
  return (cause && !own.includes(cause) ? `${own}: ${cause}` : own).replaceAll(/\s*\n\s*/g, ' ');
}

/** The `code` of an error of ours or of Node's (`ENOENT`), if it has one. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
