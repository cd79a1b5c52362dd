/** Files that no template knows: told together, since a repository may have any number of logs. */

import { mapperFiles } from './layout.js';

/** How many are named. */
const NAMED = 3;

export class UnmatchedFiles {
  #count = 0;
  readonly #named: string[] = [];

  add(location: string): void {
    if (mapperFiles.includes(location.slice(location.lastIndexOf('/') + 1))) return;
    if (++this.#count <= NAMED) this.#named.push(location);
  }

  /** Undefined where there are none. */
  get message(): string | undefined {
    if (this.#count === 0) return undefined;
    const names = `${this.#named.join(', ')}${this.#count > NAMED ? ', ...' : ''}`;
    const [files, match] = this.#count === 1 ? ['1 file', 'matches'] : [`${this.#count} files`, 'match'];
    return `${files} ${match} no template, and can be read in @repo only: ${names}`;
  }
}
