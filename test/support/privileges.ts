/** What only the superuser can set up for a test. */

let told = false;

/** Whether this process may make private mount namespaces and devices; where not, that is said once, on standard error. */
export function isSuperuser(): boolean {
  if (process.getuid?.() === 0) return true;
  if (!told) {
    told = true;
    process.stderr.write('tests that need root (private mount namespaces, other users) are left out\n');
  }
  return false;
}
