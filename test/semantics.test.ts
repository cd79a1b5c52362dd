/** docs/semantics.md promises nothing that no test shows: each of its numbers stands in the title of one, and no title names a number that it has not. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectDirectory } from '../common/program-file.js';
import { runSuccessfully } from './support/run.js';

it('every promise is tested by name', async () => {
  const document = readFileSync(join(projectDirectory(), 'docs/semantics.md'), 'utf8');
  const promised = [...document.matchAll(/^(\d+)\. \*\*/gm)].map(([, number]) => Number(number));
  expect(promised).toEqual(promised.map((_, index) => index + 1));
  expect(promised.length).toBeGreaterThan(10);
  const listed = await runSuccessfully('git', ['-C', projectDirectory(), 'ls-files', '-co', '--exclude-standard', '*.test.ts']);
  const tested = new Set<number>();
  for (const file of listed.trim().split('\n')) {
    const titles = readFileSync(join(projectDirectory(), file), 'utf8').matchAll(
      /\b(?:it|test)(?:\.each\([^)]*\))?\(\s*'promises? ([\d, and]+):/g,
    );
    for (const [, numbers] of titles) for (const number of numbers!.match(/\d+/g) ?? []) tested.add(Number(number));
  }
  expect([...tested].sort((a, b) => a - b)).toEqual(promised);
});
