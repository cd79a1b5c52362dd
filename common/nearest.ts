/** Names the nearest thing that exists, for error messages. */

/** Edit distance with transpositions (optimal string alignment), cut off at `limit`: larger distances come back as `limit + 1`. */
export function editDistance(a: string, b: string, limit = Infinity): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforePrevious[j - 2]! + 1);
      }
      row.push(cost);
    }
    if (Math.min(...row) > limit) return limit + 1;
    [beforePrevious, previous] = [previous, row];
  }
  return previous[b.length]!;
}

/** A beginning that this many characters share counts as near where nothing is nearer. */
const SHARED_BEGINNING = 3;

/**
 * The candidates nearest to `wanted`, best first, at most `count`.
 * Case is ignored, and a candidate that begins with `wanted` counts as near. Where nothing is near enough to be a slip, those come back that share the
 * longest beginning with it, if it is three characters or more; else nothing.
 */
export function nearestNames(wanted: string, candidates: Iterable<string>, count = 3): string[] {
  const target = wanted.toLowerCase();
  const limit = Math.max(2, Math.floor(target.length / 3));
  const slips: { name: string; score: number }[] = [];
  const relatives: { name: string; score: number }[] = [];
  for (const name of candidates) {
    const lower = name.toLowerCase();
    const prefix = target.length >= 3 && (lower.startsWith(target) || target.startsWith(lower));
    const score = prefix ? Math.min(1.5, editDistance(target, lower, limit)) : editDistance(target, lower, limit);
    if (score <= limit) slips.push({ name, score });
    const shared = sharedBeginning(target, lower);
    if (shared >= SHARED_BEGINNING) relatives.push({ name, score: -shared });
  }
  const best = slips.length > 0 ? slips : relatives;
  best.sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  return best.slice(0, count).map((entry) => entry.name);
}

function sharedBeginning(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** The integers nearest to `wanted`, best first, at most `count`. */
export function nearestIntegers(wanted: number, candidates: Iterable<number>, count = 3): number[] {
  return [...candidates].sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || a - b).slice(0, count);
}

/** `did you mean 'a' or 'b'?`, or undefined where nothing is near. */
export function didYouMean(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const quoted = names.map((name) => `'${name}'`);
  const last = quoted.pop()!;
  return `did you mean ${quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`}?`;
}
