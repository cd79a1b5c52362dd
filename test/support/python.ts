/** The real software, where it is there: a Python with lsst-daf-butler, astropy and pyarrow. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '../shared.js';
import { runSuccessfully } from './run.js';
import type { RunOptions } from './run.js';

let known: string | null | undefined;

/**
 * A Python interpreter with the packages of the interoperation tests, or undefined (said once, on standard error).
 * `BUTLERFS_TEST_PYTHON` names one; otherwise `python3` is tried.
 */
export function python(): string | undefined {
  if (known === undefined) {
    const candidates = [process.env['BUTLERFS_TEST_PYTHON'], 'python3'].filter((name) => name !== undefined && name !== '');
    const works = (name: string): boolean =>
      spawnSync(name, ['-c', 'import lsst.daf.butler, astropy, pyarrow.dataset'], { timeout: 60_000, stdio: 'ignore' }).status === 0;
    known = candidates.find((name): name is string => name !== undefined && works(name)) ?? null;
    if (known === null)
      process.stderr.write('tests with the real butler are left out: no python3 with lsst-daf-butler, astropy and pyarrow\n');
  }
  return known ?? undefined;
}

/** Directory of the tools that make repositories with the real butler, or undefined. */
export function sharedTools(): string | undefined {
  const data = sharedData();
  const tools = data === undefined ? undefined : join(data, '..', 'tools');
  return tools !== undefined && existsSync(tools) ? tools : undefined;
}

/** Runs a program text and parses the JSON it prints. */
export async function pythonJson(text: string, args: readonly string[] = [], options: RunOptions = {}): Promise<unknown> {
  const program = python();
  if (program === undefined) throw new Error('no python3 with lsst-daf-butler');
  const tools = sharedTools();
  const env = { ...options.env, ...(tools === undefined ? {} : { PYTHONPATH: tools }), PYTHONDONTWRITEBYTECODE: '1' };
  const output = await runSuccessfully(program, ['-W', 'ignore', '-c', text, ...args], { timeout: 120_000, ...options, env });
  return JSON.parse(output) as unknown;
}
