/** Every announcement gets exactly one final answer (DESIGN.md, rule 7). */
export class Answers {
  /** Announcements that wait for theirs, and those that were told to the uploader that runs. */
  readonly #open = new Set<string>();
  readonly #told = new Set<string>();

  constructor(private readonly fault: (where: string, fault: string) => void) {}

  announced(id: string): void {
    this.#open.add(id);
  }

  /** It went with its spool; nobody waits for its answer. */
  forget(id: string): void {
    this.#open.delete(id);
  }

  /** Its segmenter has the final answer. */
  settled(id: string, type: string): void {
    if (!this.#open.delete(id)) this.fault(id, `a second final answer: ${type}`);
  }

  tell(id: string): void {
    this.#told.add(id);
  }

  given(id: string, type: string): void {
    if (!this.#told.delete(id)) this.fault(id, `rule 7 of DESIGN.md: ${type} although nothing was asked`);
  }

  restarted(): void {
    this.#told.clear();
  }

  expectAll(): void {
    for (const id of this.#open) this.fault(id, 'rule 7 of DESIGN.md: no final answer');
  }
}
