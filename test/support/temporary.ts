/** Directories that go when the test is over. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new directory. Remove it with {@link removeDirectory}. */
export function temporaryDirectory(purpose = 'test'): string {
  return mkdtempSync(join(tmpdir(), `butlerfs-${purpose}-`));
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** Waits, looking every 20 ms, until `condition` holds. Throws after `milliseconds`, saying what did not come. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, milliseconds = 10_000): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
