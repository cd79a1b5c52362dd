/** Which directories of a stack of repositories templates reach, and what the files in them are. */

import type { FieldValues, Gen2Repository, Template, TemplateRoot } from './contract.js';
import type { Place, TemplateMatcher } from './matcher.js';

/** The directory of calibrations in a repository, and the registries. */
export const calibrationDirectory = 'CALIB';
export const calibrationRegistry = 'calibRegistry.sqlite3';
export const rawRegistry = 'registry.sqlite3';
/** Directories at the top of a repository: those of its reruns, and of the repository that its data are looked for in next. */
export const rerunDirectory = 'rerun';
export const parentLink = '_parent';

/** Files by which repositories say what they are. */
export const mapperFiles: readonly string[] = [
  '_mapper',
  parentLink,
  'repositoryCfg.yaml',
  'butlerfs.yaml',
  rawRegistry,
  calibrationRegistry,
];

/** Directories whose files belong to other repositories. */
const otherRepositories: readonly string[] = [rerunDirectory, parentLink];

/** A file that is a dataset. */
export interface LocatedDataset {
  readonly template: Template;
  readonly fields: FieldValues;
  readonly repository: Gen2Repository;
  /** Directory that the template's paths begin in. */
  readonly base: string;
}

interface Branch {
  readonly root: TemplateRoot;
  readonly base: string;
  readonly place: Place;
}

/** A directory that templates reach, or that leads to another repository. */
export interface LocatedDirectory {
  readonly path: string;
  readonly repository: Gen2Repository;
  readonly branches: readonly Branch[];
}

export class RepositoryLayout {
  readonly #matcher: TemplateMatcher;
  readonly #repositories = new Map<string, Gen2Repository>();
  /** Directories with calibrations that some repository is looked up in. */
  readonly #calibrations: ReadonlySet<string>;
  /** Directories on the way to other repositories. */
  readonly #passages = new Set<string>();
  readonly #known = new Map<string, LocatedDirectory | undefined>();

  constructor(matcher: TemplateMatcher, repositories: readonly Gen2Repository[]) {
    this.#matcher = matcher;
    for (const repository of repositories) {
      this.#repositories.set(repository.path, repository);
      for (let { path } = repository; path !== ''; path = parentOf(path)) this.#passages.add(path);
    }
    this.#calibrations = new Set(repositories.flatMap(({ calibrations }) => (calibrations === undefined ? [] : [calibrations])));
  }

  /** A directory below the root; undefined where no template goes there. */
  directory(path: string): LocatedDirectory | undefined {
    if (this.#known.has(path)) return this.#known.get(path);
    const parent = path === '' ? undefined : this.directory(parentOf(path));
    const located = path === '' ? this.#repositoryAt('') : parent && this.below(parent, path.slice(path.lastIndexOf('/') + 1));
    // Of a large repository only some directories are kept at hand: paths come in order.
    if (this.#known.size >= 10_000) this.#known.clear();
    this.#known.set(path, located);
    return located;
  }

  below(parent: LocatedDirectory, name: string): LocatedDirectory | undefined {
    const path = parent.path === '' ? name : `${parent.path}/${name}`;
    const repository = this.#repositoryAt(path);
    if (repository !== undefined) return repository;
    const branches = this.#branchesBelow(parent, name, path);
    return branches.length > 0 || this.#passages.has(path) ? { path, repository: parent.repository, branches } : undefined;
  }

  #branchesBelow({ repository, branches, path: parent }: LocatedDirectory, name: string, path: string): Branch[] {
    const isTop = parent === repository.path;
    if (this.#calibrations.has(path) || (isTop && name === calibrationDirectory)) return [this.#calibrationsAt(path)];
    if (isTop && otherRepositories.includes(name)) return [];
    return branches.flatMap(({ root, base, place }) => {
      const below = place.below(name);
      return below === undefined ? [] : [{ root, base, place: below }];
    });
  }

  #repositoryAt(path: string): LocatedDirectory | undefined {
    const repository = this.#repositories.get(path);
    if (repository === undefined) return undefined;
    const starting = (root: TemplateRoot): Branch => ({ root, base: path, place: this.#matcher.start(root) });
    const branches = rootsAt(path).map(starting);
    return { path, repository, branches: this.#calibrations.has(path) ? [...branches, this.#calibrationsAt(path)] : branches };
  }

  #calibrationsAt(base: string): Branch {
    return { root: 'calibrations', base, place: this.#matcher.start('calibrations') };
  }

  /** The dataset that a file is; undefined where it is none. */
  dataset(directory: LocatedDirectory, name: string): LocatedDataset | undefined {
    for (const { base, place } of directory.branches) {
      const match = place.file(name);
      if (match !== undefined) return { ...match, base, repository: directory.repository };
    }
    return undefined;
  }
}

/** What of a repository at a path begins there, beside its calibrations. */
export function rootsAt(path: string): TemplateRoot[] {
  return path.startsWith(`${rerunDirectory}/`) ? ['rerun', 'repository'] : ['repository'];
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
