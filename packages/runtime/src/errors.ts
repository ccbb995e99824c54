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

/** Deeper causes tell an operator nothing more, and might lead in a circle. */
const MAX_CAUSES = 5;

/** One line for a log: message and the messages of its causes, never a stack. */
export function errorText(error: unknown): string {
  return withCauses(error, MAX_CAUSES)
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
}

function withCauses(error: unknown, depth: number): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || reasons(error, depth) || error.name;
  const cause = error.cause === undefined || depth === 0 ? '' : withCauses(error.cause, depth - 1);
  return cause && !own.includes(cause) ? `${own}: ${cause}` : own;
}

/** An AggregateError of Node's sockets has a reason for each address that was tried, and no message. */
function reasons(error: Error, depth: number): string {
  if (!(error instanceof AggregateError) || depth === 0) return '';
  return error.errors.map((reason) => withCauses(reason, depth - 1)).join('; ');
}

/** The `code` of an error of ours or of Node's (`ENOENT`), if it has one. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
