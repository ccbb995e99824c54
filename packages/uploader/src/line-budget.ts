/** What one holder may always have, bytes: enough for some hundred announcements. */
export const OWN_SHARE_BYTES = 64 * 1024;
/** What all holders together may have above their own shares, bytes. */
const COMMON_BYTES = 128 * 1024 * 1024;

/**
 * Bounds the text in memory of all connections together (DESIGN.md, rule 11): each has a small share of its own, so
 * that none can starve the others, and what is above it comes from one that all have in common.
 */
export class LineBudget {
  #left: number;

  constructor(commonBytes = COMMON_BYTES) {
    this.#left = commonBytes;
  }

  /** What is left for all, bytes. */
  get left(): number {
    return this.#left;
  }

  /** For one more holder. */
  share(): LineShare {
    let taken = 0;
    return {
      hold: (bytes) => {
        const above = Math.max(0, bytes - OWN_SHARE_BYTES);
        if (above - taken > this.#left) return false;
        this.#left -= above - taken;
        taken = above;
        return true;
      },
    };
  }
}

/** Of one holder. */
export interface LineShare {
  /**
   * It has so many bytes now, or wants to; 0 gives all back.
   * @returns whether it may; if not, what it had before still counts
   */
  hold(bytes: number): boolean;
}
