/** The middle one of the last three values: one that is out of line among them changes nothing. */
export class MiddleOfThree {
  /** `undefined` until there are three. */
  value: number | undefined;
  #first: number | undefined;
  #second: number | undefined;

  take(third: number): void {
    const first = this.#first;
    const second = this.#second;
    this.#first = second;
    this.#second = third;
    if (first === undefined || second === undefined) return;
    this.value = Math.max(Math.min(first, second), Math.min(Math.max(first, second), third));
  }

  reset(): void {
    this.value = undefined;
    this.#first = undefined;
    this.#second = undefined;
  }
}
