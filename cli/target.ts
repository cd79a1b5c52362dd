/** SOURCE|MOUNTPOINT: the catalogue that a command asks, and how it is searched. */

import { resolve } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { loadConfiguration } from '../mounts/configuration.js';
import { parseDefaults } from '../mounts/defaults.js';
import { findDirectories } from '../mounts/directories.js';
import { MOUNT_TYPE, canonicalMountPoint, readMountInfo } from '../mounts/mountinfo.js';
import { parseSource } from '../mounts/repository.js';
import { openMountedCatalogue } from '../mounts/mounted-catalogue.js';
import { isAlive, readMountState } from '../mounts/state.js';
import { unchangedCatalogue } from '../mounts/unchanged.js';
import { openCatalogue } from '../registry/open.js';
import { interruptSignal } from './exit.js';
import { endProgress, remark, showProgress } from './output.js';
import type { CatalogueFollower, OnProblem } from '../mounts/catalogue-follower.js';
import type { Configuration } from '../mounts/configuration.js';
import type { OpenedSource, SourceSettings } from '../mounts/source.js';
import type { Catalogue, Constraint } from '../registry/contract.js';
import type { FlavorNames, KeyAliases } from '../registry/open.js';

/** Milliseconds between looks at a source that is followed. */
const LOOK = 10_000;

export interface Target {
  readonly catalogue: Catalogue;
  /** Names to search; empty: every RUN. */
  readonly collections: readonly string[];
  /** Collections that are searched for a dataset type in place of those, by its name. */
  readonly calibrations: Readonly<Record<string, readonly string[]>>;
  /** Values that hold where a data ID does not say. */
  readonly defaults: Constraint;
  /** The user's, before those of the repository. */
  readonly aliases: KeyAliases;
  readonly flavors: FlavorNames;
  /** Where it is mounted, when it was named by its mount point. */
  readonly mountPoint?: string;
  /** False where other collections are asked for than the mount shows. */
  readonly isOwnSearchPath?: boolean;
}

/** A mount point is known by the states of this user's mounts; anything else is a source, which is indexed where it is not yet. */
export async function openTarget(text: string, collections?: string): Promise<Target> {
  const directories = findDirectories();
  const asked = collections?.split(',').map((name) => name.trim());
  const mounted = await openMount(text, directories.mountStates);
  if (mounted !== undefined) return asked === undefined ? mounted : { ...mounted, collections: asked, calibrations: {} };

  const configuration = await loadConfiguration(directories.configurationFiles);
  const source = parseSource(text, configuration, process.cwd());
  const unchanged = await unchangedCatalogue(source, configuration, configuration.defaults.cache ?? directories.cache, interruptSignal());
  const catalogue = (unchanged === undefined ? undefined : openCatalogue(unchanged)) ?? (await openNewest(text, configuration));
  return targetOf(text, catalogue, configuration, asked);
}

/** What a command asks of a source, in a catalogue of it. */
function targetOf(text: string, catalogue: Catalogue, configuration: Configuration, asked: readonly string[] | undefined): Target {
  const { named } = parseSource(text, configuration, process.cwd());
  const defaults = { ...configuration.defaults.default, ...named?.default };
  return {
    catalogue,
    collections: asked ?? named?.collections ?? configuration.defaults.collections ?? [],
    calibrations: asked === undefined ? { ...configuration.defaults.calibs, ...named?.calibs } : {},
    defaults: parseDefaults(catalogue, defaults),
    aliases: configuration.aliases,
    flavors: configuration.flavors ?? {},
  };
}

/** The catalogue of what the source holds now, read where it is not yet. */
async function openNewest(text: string, configuration: Configuration): Promise<Catalogue> {
  const opened = await openQuietly(text, configuration);
  await opened.close();
  return catalogueOf(opened);
}

/** Opened again: it outlives the source, and is closed with the process. */
function catalogueOf({ catalogueFile }: OpenedSource): Catalogue {
  const catalogue = openCatalogue(catalogueFile);
  if (catalogue !== undefined) return catalogue;
  throw new ButlerfsError('internal', { what: `the catalogue ${catalogueFile} cannot be opened again` });
}

/** As {@link openTarget}, with what follows its catalogue. `interval` is that of looks at the origin, in milliseconds; undefined: the mount's, else ten seconds. */
export async function openFollowed(
  text: string,
  {
    collections,
    interval,
    onProblem,
  }: { readonly collections: string | undefined; readonly interval: number | undefined; readonly onProblem: OnProblem },
): Promise<{ readonly target: Target; readonly follower: CatalogueFollower }> {
  const directories = findDirectories();
  const { followMount, followSource } = await import('../mounts/catalogue-follower.js');
  const asked = collections?.split(',').map((name) => name.trim());
  const mounted = await openMount(text, directories.mountStates);
  if (mounted !== undefined) {
    const target = asked === undefined ? mounted : { ...mounted, collections: asked, calibrations: {}, isOwnSearchPath: false };
    const { mountStates } = directories;
    return { target, follower: followMount({ mountPoint: mounted.mountPoint, mountStates, interval }, onProblem) };
  }
  const configuration = await loadConfiguration(directories.configurationFiles);
  const opened = await openQuietly(text, configuration);
  try {
    return {
      target: targetOf(text, catalogueOf(opened), configuration, asked),
      follower: followSource(opened, interval ?? LOOK, onProblem),
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Opens a source as the configuration says, with progress on a terminal; `thorough` and `onWarning` as in SourceSettings. The caller closes it. */
export async function openQuietly(
  text: string,
  configuration: Configuration,
  { thorough, onWarning }: Pick<SourceSettings, 'thorough' | 'onWarning'> = {},
): Promise<OpenedSource> {
  const { openSource } = await import('../mounts/source.js');
  const cacheDirectory = configuration.defaults.cache ?? findDirectories().cache;
  const settings = { configuration, cacheDirectory, thorough, onWarning, onProgress: showProgress, warn: remark };
  const opened = await openSource(text, settings, { signal: interruptSignal() });
  endProgress();
  if (opened.problem !== undefined) remark(`the origin does not answer, this is what was catalogued: ${opened.problem.message}`);
  return opened;
}

async function openMount(text: string, mountStates: string): Promise<(Target & { readonly mountPoint: string }) | undefined> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return undefined;
  const mountPoint = await canonicalMountPoint(resolve(text));
  const state = await readMountState(mountStates, mountPoint);
  const isMounted = (await readMountInfo()).some((mount) => mount.type === MOUNT_TYPE && mount.mountPoint === mountPoint);
  if (isMounted && (state === undefined || !isAlive(state))) {
    throw new ButlerfsError('not-mounted', {
      what: `the mount at ${mountPoint} is not served by a daemon of yours`,
      advice: 'name its source instead',
    });
  }
  if (!isMounted || state === undefined) return undefined;
  const catalogue = await openMountedCatalogue(state);
  return {
    catalogue,
    collections: state.collections,
    calibrations: state.calibrations ?? {},
    defaults: parseDefaults(catalogue, state.defaults),
    aliases: state.aliases,
    flavors: state.flavors ?? {},
    mountPoint,
  };
}
