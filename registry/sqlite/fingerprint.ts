/** A sum of hashes that does not depend on the order of what is summed: tells whether a set of rows changed. Not cryptographic. */

/** Two independent 32-bit lanes make 64 bits. */
export class Fingerprint {
  #low = 0;
  #high = 0;

  add(text: string): void {
    let low = 0x811c9dc5;
    let high = 0x9747b28c;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high ^ code, 0x5bd1e995) + (high >>> 15);
    }
    this.#low = (this.#low + mix(low)) >>> 0;
    this.#high = (this.#high + mix(high ^ low)) >>> 0;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return [this.#high, this.#low].map((lane) => lane.toString(16).padStart(8, '0')).join('');
  }
}

/** Spreads every bit over the word, so that sums of similar texts differ. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
