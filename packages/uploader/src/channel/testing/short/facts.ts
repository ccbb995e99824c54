import type { Fact } from './feed.js';
import type { ShortEntry } from './playlist.js';

/** What the script knows of each segment, and which one a playlist means. */
export class Facts {
  readonly #facts = new Map<string, Fact>();
  readonly #byUri = new Map<string, string>();

  add(fact: Fact): void {
    this.#facts.set(fact.id, fact);
  }

  of(id: string): Fact | undefined {
    return this.#facts.get(id);
  }

  /** The URI stands for this one from now on; false when it stood for another. */
  put(uri: string, id: string): boolean {
    const meaning = this.#byUri.get(uri) ?? id;
    this.#byUri.set(uri, id);
    return meaning === id;
  }

  in({ uri }: ShortEntry): Fact | undefined {
    return this.#facts.get(this.#byUri.get(uri) ?? '');
  }
}
