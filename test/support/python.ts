/** The real software, where it is there: a Python with lsst-daf-butler, astropy and pyarrow. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '../shared.js';
import { runSuccessfully } from './run.js';
import type { RunOptions } from './run.js';

const known = new Map<string, string | undefined>();

/** An interpreter that imports `modules`, or undefined (said once, on standard error). `BUTLERFS_TEST_PYTHON` names one; otherwise `python3` is tried. */
function pythonWith(modules: string, leftOut: string): string | undefined {
  if (!known.has(modules)) {
    const candidates = [process.env['BUTLERFS_TEST_PYTHON'], 'python3'].filter((name) => name !== undefined && name !== '');
    const works = (name: string): boolean =>
      spawnSync(name, ['-c', `import ${modules}`], { timeout: 60_000, stdio: 'ignore' }).status === 0;
    const found = candidates.find((name): name is string => name !== undefined && works(name));
    known.set(modules, found);
    if (found === undefined) process.stderr.write(`${leftOut}\n`);
  }
  return known.get(modules);
}

/** A Python interpreter with the packages of the interoperation tests, or undefined. */
export function python(): string | undefined {
  const leftOut = 'tests with the real butler are left out: no python3 with lsst-daf-butler, astropy and pyarrow';
  return pythonWith('lsst.daf.butler, astropy, pyarrow.dataset', leftOut);
}

/** A Python interpreter with astropy, or undefined. */
export function astropy(): string | undefined {
  return pythonWith('astropy', 'tests with astropy are left out: no python3 with astropy');
}

/** A Python interpreter with lsst-sphgeom, or undefined. */
export function sphgeom(): string | undefined {
  return pythonWith('lsst.sphgeom, numpy', 'tests with lsst-sphgeom are left out: no python3 with lsst-sphgeom');
}

/** A Python interpreter with numpy, or undefined. */
export function numpy(): string | undefined {
  return pythonWith('numpy', 'tests with numpy are left out: no python3 with numpy');
}

/** Directory of the tools that make repositories with the real butler, or undefined. */
export function sharedTools(): string | undefined {
  const data = sharedData();
  const tools = data === undefined ? undefined : join(data, '..', 'tools');
  return tools !== undefined && existsSync(tools) ? tools : undefined;
}

/** Runs a program text and parses the JSON it prints. */
export async function pythonJson(text: string, args: readonly string[] = [], options: RunOptions = {}): Promise<unknown> {
  const program = python() ?? astropy();
  if (program === undefined) throw new Error('no python3 with astropy');
  const tools = sharedTools();
  const env = { ...options.env, ...(tools === undefined ? {} : { PYTHONPATH: tools }), PYTHONDONTWRITEBYTECODE: '1' };
  const output = await runSuccessfully(program, ['-W', 'ignore', '-c', text, ...args], { timeout: 120_000, ...options, env });
  return JSON.parse(output) as unknown;
}
