/** Finds the shared test data: a folder `shared/data` beside the project. Tests that need it say in one line when it is not there. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../common/program-file.js';

const candidate = join(projectDirectory(), '../shared/data');
let told = false;

/** Directory of the shared repositories and golden answers, or undefined (said once, on standard error). */
export function sharedData(): string | undefined {
  if (existsSync(candidate)) return candidate;
  if (!told) {
    told = true;
    process.stderr.write('tests on the shared repositories are left out: no folder shared/data beside the project\n');
  }
  return undefined;
}
