/** Patterns of SQLite's GLOB as the language uses them: `*` is any text, `?` any character, `[x]` the character x. Case counts. */
export function globPattern(pattern: string): RegExp {
  const source = pattern.replace(/\[(.)\]|[*?]|[.+^${}()|[\]\\]/gsu, (sign, literal?: string) => {
    if (literal !== undefined) return `\\${literal}`;
    return sign === '*' ? '.*' : sign === '?' ? '.' : `\\${sign}`;
  });
  return new RegExp(`^${source}$`, 'su');
}
