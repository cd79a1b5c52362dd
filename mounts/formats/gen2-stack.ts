/** The repositories of a Gen2 stack: the root, its reruns, and in which order each looks in the others. */

import { setMaxListeners } from 'node:events';
import { readlink, realpath } from 'node:fs/promises';
import { join, posix, relative } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { linkSignals } from '../../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import { parseRemotePath } from '../../proxy/paths.js';
import { calibrationDirectory, calibrationRegistry, parentLink, rawRegistry, rerunDirectory } from '../../registry/open.js';
import type { RemoteEntry } from '../../proxy/contract.js';
import type { Gen2Repository } from '../../registry/open.js';
import { displayName } from './contract.js';
import type { RepositoryOrigin } from './contract.js';
import { usable } from './gen2-listing.js';
import { readSmallText } from './text.js';

export const newConfiguration = 'repositoryCfg.yaml';
export const mapperFile = '_mapper';

/** Files and directories by which a Gen2 repository is known. */
export const markers: readonly string[] = [rawRegistry, mapperFile, parentLink, newConfiguration];

/** Directories below `rerun` that are looked into: `rerun/NAME` and `rerun/USER/NAME`. */
const RERUN_DEPTH = 2;

/** Directories that are listed at a time. */
const CONCURRENCY = 8;

/** Parents of parents: more are a circle that links hide. */
const LONGEST_CHAIN = 32;

export interface Stack {
  /** The root first, then by path. */
  readonly repositories: readonly Gen2Repository[];
  /** What `_mapper` or `repositoryCfg.yaml` of the root, or of a parent, name; undefined where none does. */
  readonly mapper: string | undefined;
  /** What stands in the directory of each. */
  readonly entriesOf: ReadonlyMap<string, readonly RemoteEntry[]>;
}

interface Found {
  readonly path: string;
  readonly entries: readonly RemoteEntry[];
  /** Directories of its parents, in order. */
  parents: readonly string[];
  mapper?: string | undefined;
  problem?: string | undefined;
}

/**
 * Finds the stack. A rerun whose parents are not there, or come back to itself, is told with its problem; of the root that is `corrupt-repository`.
 * Rejects also with `unsupported-repository` where a parent of the root is outside of it, `remote-*`, `interrupted`.
 */
export async function findStack(origin: RepositoryOrigin, signal: AbortSignal): Promise<Stack> {
  const control = linkSignals(signal);
  setMaxListeners(0, control.signal);
  try {
    return await new StackSearch(origin, control.signal).find();
  } finally {
    control.unlink();
  }
}

/** Whether a directory is a Gen2 repository. Of a link to a parent that leads outside a listing says nothing. */
export async function isMarked({ directory }: RepositoryOrigin, path: string, entries: readonly RemoteEntry[]): Promise<boolean> {
  if (entries.some((entry) => markers.includes(entry.name))) return true;
  return directory !== undefined && (await readlink(join(directory, path, parentLink)).catch(() => undefined)) !== undefined;
}

class StackSearch {
  readonly #origin: RepositoryOrigin;
  readonly #signal: AbortSignal;
  readonly #found = new Map<string, Found>();

  constructor(origin: RepositoryOrigin, signal: AbortSignal) {
    this.#origin = origin;
    this.#signal = signal;
  }

  async find(): Promise<Stack> {
    const root: Found = { path: '', entries: (await this.#list('')) ?? [], parents: [] };
    this.#found.set('', root);
    if (isDirectory(root.entries, rerunDirectory)) await this.#searchReruns(rerunDirectory, RERUN_DEPTH);
    // Parents may be repositories that were not met yet: these join the queue.
    for (const found of this.#found.values()) await this.#readConfiguration(found);
    const repositories: Gen2Repository[] = [];
    for (const found of this.#found.values()) {
      const resolved = this.#ancestors(found);
      if (found.path === '' && 'problem' in resolved) throw this.#rootProblem(resolved.problem);
      const ancestors = 'problem' in resolved ? undefined : resolved.ancestors;
      const problem = 'problem' in resolved ? resolved.problem : undefined;
      repositories.push({ path: found.path, ancestors, problem, calibrations: await this.#calibrations(found.path, ancestors ?? []) });
    }
    repositories.sort((a, b) => (a.path < b.path ? -1 : 1));
    const own = ['', ...(repositories[0]?.ancestors ?? [])].map((path) => this.#found.get(path)?.mapper);
    const entriesOf = new Map([...this.#found.values()].map(({ path, entries }) => [path, entries]));
    return { repositories, mapper: own.find((mapper) => mapper !== undefined), entriesOf };
  }

  #rootProblem(problem: string): ButlerfsError {
    const isOutside = problem.endsWith(outside);
    return new ButlerfsError(isOutside ? 'unsupported-repository' : 'corrupt-repository', {
      what: 'the parents of the repository',
      where: displayName(this.#origin),
      why: problem,
      advice: isOutside
        ? 'mount the directory that holds both, and name this one with --collections rerun/NAME'
        : 'put right its _parent, or the _parents in its repositoryCfg.yaml',
    });
  }

  /** Undefined where there is no such directory. */
  async #list(path: string): Promise<readonly RemoteEntry[] | undefined> {
    try {
      return usable(await this.#origin.remote.list!(path === '' ? '' : parseRemotePath(path), { signal: this.#signal }));
    } catch (error) {
      if (path === '' || !['remote-not-found', 'remote-forbidden', 'unsupported'].includes(asButlerfsError(error).code)) throw error;
      return undefined;
    }
  }

  async #searchReruns(directory: string, depth: number): Promise<void> {
    const names = ((await this.#list(directory)) ?? []).filter(({ kind }) => kind === 'directory').map(({ name }) => name);
    for (let at = 0; at < names.length; at += CONCURRENCY) {
      await Promise.all(
        names.slice(at, at + CONCURRENCY).map(async (name) => {
          const path = `${directory}/${name}`;
          const entries = await this.#list(path);
          if (entries === undefined) return;
          if (await isMarked(this.#origin, path, entries)) this.#found.set(path, { path, entries, parents: [] });
          else if (depth > 1) await this.#searchReruns(path, depth - 1);
        }),
      );
    }
  }

  async #readConfiguration(found: Found): Promise<void> {
    const { path, entries } = found;
    const at = (name: string): string => (path === '' ? name : `${path}/${name}`);
    try {
      if (isFile(entries, newConfiguration)) {
        const { mapper, parents } = parseRepositoryConfiguration(await this.#text(at(newConfiguration)), at(newConfiguration));
        found.mapper = mapper;
        found.parents = await Promise.all(parents.map((parent) => this.#parentAt(path, parent)));
        return;
      }
      if (isFile(entries, mapperFile)) found.mapper = (await this.#text(at(mapperFile))).trim();
      const parent = await this.#linkedParent(found);
      if (parent !== undefined) found.parents = [parent];
    } catch (error) {
      if (!(error instanceof ParentFault)) throw error;
      found.problem = error.message;
    }
  }

  async #text(path: string): Promise<string> {
    return await readSmallText(this.#origin.remote, path, this.#signal);
  }

  /** Where `_parent` leads; undefined where there is none. */
  async #linkedParent({ path, entries }: Found): Promise<string | undefined> {
    const location = path === '' ? parentLink : `${path}/${parentLink}`;
    const { directory } = this.#origin;
    if (isFile(entries, parentLink)) {
      // Where links were copied as files they hold what the link said.
      return await this.#parentAt(path, (await this.#text(location)).trim());
    }
    if (directory !== undefined) {
      const link = await readlink(join(directory, location)).catch(() => undefined);
      if (link !== undefined) return await this.#linkedHere(directory, location, link);
    }
    if (!isDirectory(entries, parentLink)) return undefined;
    return await this.#sameAs(location);
  }

  async #linkedHere(directory: string, location: string, link: string): Promise<string> {
    let target: string;
    try {
      target = relative(await realpath(directory), await realpath(join(directory, location)));
    } catch {
      throw new ParentFault(`${location} leads to ${link}, which is not there`);
    }
    if (target === '..' || target.startsWith('../')) throw new ParentFault(`${location} leads to ${link}, ${outside}`);
    return await this.#known(target, posix.dirname(location), location);
  }

  /** The repository that a server shows as `location`, where it follows links by itself: the one with the same entries, else a repository of its own. */
  async #sameAs(location: string): Promise<string> {
    const entries = (await this.#list(location)) ?? [];
    const print = JSON.stringify(entries);
    const same = [...this.#found.values()].filter((found) => JSON.stringify(found.entries) === print);
    const nearest = same.find(({ path }) => path === '') ?? same[0];
    if (nearest !== undefined) return nearest.path;
    if (location.split('/').filter((name) => name === parentLink).length > LONGEST_CHAIN)
      throw new ParentFault(`${parentLink} leads on and on: ${location}`);
    this.#found.set(location, { path: location, entries, parents: [] });
    return location;
  }

  /** A parent as a configuration names it: relative to the repository. */
  async #parentAt(path: string, parent: string): Promise<string> {
    if (parent === '' || parent.includes('\0')) throw new ParentFault(`its parent ${JSON.stringify(parent.slice(0, 80))} is no path`);
    const { directory } = this.#origin;
    let target: string;
    if (parent.startsWith('/')) target = directory === undefined ? '..' : relative(directory, parent);
    else target = posix.normalize(`${path}/${parent}`.replace(/^\//, '')).replace(/\/+$/, '');
    if (target === '..' || target.startsWith('../')) throw new ParentFault(`its parent ${parent} is ${outside}`);
    return await this.#known(target === '.' ? '' : target, path, `its parent ${parent}`);
  }

  /** `path`, where a directory is there; `from` is the repository that looks for it. */
  async #known(path: string, from: string, said: string): Promise<string> {
    if (this.#found.has(path)) return path;
    const entries = await this.#list(path);
    if (entries === undefined) {
      const others = [...this.#found.keys()].filter((other) => other !== '' && other !== from);
      const advice = didYouMean(nearestNames(path, others));
      throw new ParentFault(`${said} is not there${advice === undefined ? '' : `; ${advice}`}`);
    }
    this.#found.set(path, { path, entries, parents: [] });
    return path;
  }

  /** Parents, their parents, and so on, depth first, each once. */
  #ancestors(found: Found): { readonly ancestors: readonly string[] } | { readonly problem: string } {
    const ancestors: string[] = [];
    const visit = ({ path, parents, problem }: Found, within: readonly string[]): string | undefined => {
      if (problem !== undefined) return path === found.path ? problem : `of ${path || 'the root'}: ${problem}`;
      for (const parent of parents) {
        const chain = [...within, path];
        if (chain.includes(parent)) {
          const circle = [...chain.slice(chain.indexOf(parent)), parent].map((each) => each || 'the root').join(' > ');
          return `its parents come back to where they began: ${circle}`;
        }
        if (ancestors.includes(parent)) continue;
        ancestors.push(parent);
        const fault = visit(this.#found.get(parent)!, chain);
        if (fault !== undefined) return fault;
      }
      return undefined;
    };
    const problem = visit(found, []);
    return problem === undefined ? { ancestors } : { problem };
  }

  /** The first of its own CALIB, those of its ancestors, and the ancestors themselves that holds a calibration registry. */
  async #calibrations(path: string, ancestors: readonly string[]): Promise<string | undefined> {
    for (const each of [path, ...ancestors]) {
      if (!isDirectory(this.#found.get(each)!.entries, calibrationDirectory)) continue;
      const directory = each === '' ? calibrationDirectory : `${each}/${calibrationDirectory}`;
      if (isFile((await this.#listOnce(directory)) ?? [], calibrationRegistry)) return directory;
    }
    return ancestors.find((each) => isFile(this.#found.get(each)!.entries, calibrationRegistry));
  }

  readonly #listings = new Map<string, readonly RemoteEntry[] | undefined>();

  async #listOnce(path: string): Promise<readonly RemoteEntry[] | undefined> {
    if (!this.#listings.has(path)) this.#listings.set(path, await this.#list(path));
    return this.#listings.get(path);
  }
}

const outside = 'outside of what is mounted';

/** Why it cannot be told where a repository's data are looked for next. */
class ParentFault extends Error {}

function isFile(entries: readonly RemoteEntry[], name: string): boolean {
  return entries.some((entry) => entry.name === name && entry.kind === 'file');
}

function isDirectory(entries: readonly RemoteEntry[], name: string): boolean {
  return entries.some((entry) => entry.name === name && entry.kind === 'directory');
}

const configurationSchema = z.looseObject({
  _mapper: z.string().nullish(),
  _parents: z.array(z.string()).nullish(),
});

/** `repositoryCfg.yaml`: `!RepositoryCfg_v1` with `_mapper` and `_parents`. */
function parseRepositoryConfiguration(
  text: string,
  where: string,
): { readonly mapper: string | undefined; readonly parents: readonly string[] } {
  const document = parseDocument(text, { logLevel: 'error' });
  const [error] = document.errors;
  if (error !== undefined) throw new ParentFault(`${where} is not YAML: ${error.message.split('\n')[0]}`);
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw new ParentFault(`${where} is YAML that cannot be resolved`);
  }
  const parsed = configurationSchema.safeParse(raw);
  if (!parsed.success) throw new ParentFault(`${where} is no repository configuration: _parents must be a list of paths, _mapper a name`);
  return { mapper: parsed.data._mapper ?? undefined, parents: parsed.data._parents ?? [] };
}
