/** The version in package.json. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../common/program-file.js';

export function version(): string {
  const content: unknown = JSON.parse(readFileSync(join(projectDirectory(), 'package.json'), 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content ? String(content.version) : 'unknown';
}
