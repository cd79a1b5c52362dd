/** Patterns of ssh_config(5) and known_hosts: `*` stands for any characters, `?` for one, a leading `!` for "not". */

/** Whether the whole of `text` fits one pattern without its `!`. Takes time in proportion to both lengths. */
export function matchesPattern(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Whether one of `patterns` fits, and none that begins with `!` does. Case does not count. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  const lower = text.toLowerCase();
  let found = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern((negated ? pattern.slice(1) : pattern).toLowerCase(), lower)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}
