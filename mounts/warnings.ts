/** What a reader left out of a catalogue, for the user to know: the first of it, and how much it was. */

/** How many are kept. */
const KEPT = 20;

export class Warnings {
  readonly #onWarning: (message: string) => void;
  readonly #kept = new Set<string>();
  #count = 0;

  /** `onWarning` is told of those that are kept, each once. */
  constructor(onWarning: (message: string) => void = () => undefined) {
    this.#onWarning = onWarning;
  }

  /** All that there were, those included that are not kept. */
  get count(): number {
    return this.#count;
  }

  /** The first ones. */
  get first(): readonly string[] {
    return [...this.#kept];
  }

  add(message: string): void {
    if (this.#kept.has(message)) return;
    this.#count++;
    if (this.#kept.size >= KEPT) return;
    this.#kept.add(message);
    this.#onWarning(message);
  }

  /** More of them, which are not told one by one. */
  addUntold(count: number): void {
    this.#count += count;
  }

  /** The repository is read again from its beginning. */
  clear(): void {
    this.#kept.clear();
    this.#count = 0;
  }
}
