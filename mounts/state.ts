/** What is mounted by this user, by which daemon: one JSON file for each mount, written when it answers and removed when it ends. */

import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../common/atomic.js';
import { bootId, startTicksOf } from '../common/process.js';
import { aliasesSchema, flavorsSchema } from '../registry/open.js';
import { mountName } from './directories.js';
import { hasErrno } from './errno.js';

const stateSchema = z.object({
  mountPoint: z.string().startsWith('/'),
  /** URL or directory, without credentials. */
  repository: z.string(),
  pid: z.int().positive(),
  /** Tells the daemon from another process that got its number later: see {@link startTimeOf}. */
  startTime: z.string(),
  /** Milliseconds since 1970. */
  mountedAt: z.number(),
  /** Absolute path of the control socket. */
  socket: z.string().startsWith('/'),
  logFile: z.string().nullable(),
  /** Directory whose `current` file names the catalogue that is served. */
  catalogueDirectory: z.string().startsWith('/'),
  /** As in MountOptions. */
  collections: z.array(z.string()),
  calibrations: z.record(z.string(), z.array(z.string())).exactOptional(),
  defaults: z.record(z.string(), z.string()),
  aliases: aliasesSchema,
  flavors: flavorsSchema.exactOptional(),
});

export type MountState = Readonly<z.infer<typeof stateSchema>>;

export async function writeMountState(directory: string, state: MountState): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFileAtomically(stateFile(directory, state.mountPoint), `${JSON.stringify(state, null, 2)}\n`);
}

/** Removes the state of a mount, unless another daemon has written its own since. */
export async function removeMountState(directory: string, state: Pick<MountState, 'mountPoint' | 'pid'>): Promise<void> {
  const found = await readMountState(directory, state.mountPoint);
  if (found?.pid === state.pid) await rm(stateFile(directory, state.mountPoint), { force: true });
}

/** Undefined where there is none, or none that can be understood. */
export async function readMountState(directory: string, mountPoint: string): Promise<MountState | undefined> {
  return await readStateFile(stateFile(directory, mountPoint));
}

/** Every state on record, sorted by mount point; also of daemons that have died. */
export async function readMountStates(directory: string): Promise<MountState[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  });
  const files = names.filter((name) => /^[0-9a-f]{16}\.json$/.test(name));
  const states = await Promise.all(files.map((name) => readStateFile(join(directory, name))));
  return states.filter((state): state is MountState => state !== undefined).sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1));
}

/** The mount whose directory holds `path` (absolute and normal), the innermost where they nest. */
export function mountHolding<T extends { readonly mountPoint: string }>(mounts: readonly T[], path: string): T | undefined {
  return mounts
    .filter(({ mountPoint }) => path === mountPoint || path.startsWith(mountPoint === '/' ? '/' : `${mountPoint}/`))
    .sort((a, b) => b.mountPoint.length - a.mountPoint.length)[0];
}

/** Whether the daemon of a mount lives. */
export function isAlive(state: Pick<MountState, 'pid' | 'startTime'>): boolean {
  return startTimeOf(state.pid) === state.startTime;
}

/** When a process started, in clock ticks since boot, with the boot's own name; undefined where no such process lives. proc_pid_stat(5). */
export function startTimeOf(pid: number): string | undefined {
  const ticks = startTicksOf(pid);
  return ticks === undefined ? undefined : `${bootId()}/${ticks}`;
}

function stateFile(directory: string, mountPoint: string): string {
  return join(directory, `${mountName(mountPoint)}.json`);
}

async function readStateFile(file: string): Promise<MountState | undefined> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Missing, half understood, of another version: to its readers this is a mount that they know nothing of.
    return undefined;
  }
}
