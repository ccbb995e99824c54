import { renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PART_SUFFIX } from './durable-file.js';

/** More would only take room. */
const MOST = 2;

/**
 * Files of published segments, kept to be written again. In memory that costs half of new ones: no page need be found,
 * cleared and given back. Whoever still had one open would see it change, so only what nobody reads any more may come
 * here. A crash leaves them as unfinished files, which the next start removes.
 */
export class SpareFiles {
  readonly #paths: string[] = [];
  #kept = 0;

  constructor(private readonly folder: string) {}

  /** Takes the file away from its path; false when it stays there. */
  keep(path: string): boolean {
    if (this.#paths.length >= MOST) return false;
    const spare = join(this.folder, `spare-${++this.#kept}${PART_SUFFIX}`);
    if (!attempt(() => renameSync(path, spare))) return false;
    this.#paths.push(spare);
    return true;
  }

  /** Puts a file with some old content at a path; false when there is none. */
  give(path: string): boolean {
    const spare = this.#paths.pop();
    return spare !== undefined && attempt(() => renameSync(spare, path));
  }

  clear(): void {
    for (const path of this.#paths.splice(0)) attempt(() => unlinkSync(path));
  }
}

/** Whoever took the file away: there are others. */
function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
