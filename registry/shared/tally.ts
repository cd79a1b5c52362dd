/** What a transaction has done so far. */
export interface Tally {
  added: number;
  changed: number;
  unchanged: number;
  removed: number;
}

export function emptyTally(): Tally {
  return { added: 0, changed: 0, unchanged: 0, removed: 0 };
}
