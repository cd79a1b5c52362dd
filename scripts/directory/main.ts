/**
 * Mounts a plain directory, as scripts/mount-directory says. Without --foreground it returns once the mount answers, and a process of its own serves it until
 * it is unmounted. SIGUSR2 makes it say its counters.
 */

import { Command, Option } from 'commander';
import { fork } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asButlerfsError, exitStatusOf } from '../../common/errors.js';
import type { DirectoryMountOptions, MountedDirectory } from '../../mounts/directory/contract.js';
import { mountDirectory } from '../../mounts/directory/directory-mount.js';

interface Flags {
  readonly transport: 'kernel' | 'libfuse';
  readonly allowOther: boolean;
  readonly shared: boolean;
  readonly trusted: boolean;
  readonly passthrough: boolean;
  readonly locks: 'kernel' | 'here';
  readonly foreground: boolean;
  readonly name?: string;
  readonly log?: string;
}

/** From the process that serves, once: nothing, or why it cannot. */
type Report = { readonly error: string | null };

const program = new Command('mount-directory')
  .description('Serve a plain directory, writable, through the file system engine of butlerfs')
  .argument('<directory>')
  .argument('<mountpoint>')
  .addOption(new Option('--transport <name>').choices(['kernel', 'libfuse']).default('kernel'))
  .option('--allow-other', 'other users may look in', false)
  .option('--shared', 'others change the directory while it is mounted', false)
  .option('--trusted', 'set-user-ID programs and device files work (root)', false)
  .addOption(new Option('--locks <keeper>', 'who keeps locks').choices(['kernel', 'here']).default('kernel'))
  .option('--no-passthrough', 'every read and write goes through the daemon')
  .option('--name <text>', 'what mount(8) and df(1) show as the device (default: the directory)')
  .option('--foreground', 'stay until it is unmounted', false)
  .option('--log <file>', 'where what goes wrong is written (default: nowhere)')
  .action(main);

async function main(directory: string, mountPoint: string, flags: Flags): Promise<void> {
  if (!flags.foreground) {
    await startInBackground([resolve(directory), resolve(mountPoint)], flags);
    return;
  }
  const options: DirectoryMountOptions = {
    backing: resolve(directory),
    mountPoint: resolve(mountPoint),
    allowOther: flags.allowOther,
    exclusive: !flags.shared,
    transport: flags.transport,
    trusted: flags.trusted,
    passthrough: flags.passthrough,
    locks: flags.locks,
    ...(flags.name === undefined ? {} : { name: flags.name }),
  };
  const mounted = await mountDirectory(options, (error) => {
    process.stderr.write(`${new Date().toISOString()} ${error.message}\n`);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void mounted.unmount());
  process.on('SIGUSR2', () => void sayStatistics(mounted));
  report(null);
  await mounted.ended;
}

/** One line of JSON where errors go, too. */
async function sayStatistics(mounted: MountedDirectory): Promise<void> {
  const said = await mounted.statistics().catch((error: unknown) => ({ error: asButlerfsError(error).message }));
  process.stderr.write(`${JSON.stringify(said)}\n`);
}

function report(error: string | null): void {
  if (!process.connected) return;
  process.send!({ error } satisfies Report);
  process.disconnect();
}

/** Runs this program again, in a session of its own, and waits for its report. */
async function startInBackground(places: readonly string[], flags: Flags): Promise<void> {
  const sink = openSync(flags.log ?? '/dev/null', 'a');
  const child = fork(fileURLToPath(import.meta.url), argumentsOf(flags, places), {
    cwd: '/',
    detached: true,
    stdio: ['ignore', sink, sink, 'ipc'],
  });
  closeSync(sink);
  const { error } = await new Promise<Report>((done) => {
    child.once('message', (message) => done(message as Report));
    child.once('exit', (status) => done({ error: `it ended with status ${status ?? 'of a signal'}` }));
  });
  if (error !== null) throw new Error(error);
  child.unref();
}

function argumentsOf({ transport, locks, allowOther, shared, trusted, passthrough, name }: Flags, places: readonly string[]): string[] {
  const flags = [
    ...(allowOther ? ['--allow-other'] : []),
    ...(shared ? ['--shared'] : []),
    ...(trusted ? ['--trusted'] : []),
    ...(passthrough ? [] : ['--no-passthrough']),
    ...(name === undefined ? [] : ['--name', name]),
  ];
  return ['--foreground', '--transport', transport, '--locks', locks, ...flags, '--', ...places];
}

program.parseAsync().catch((error: unknown) => {
  const { message } = asButlerfsError(error);
  if (process.connected) report(message);
  process.stderr.write(`mount-directory: ${message}\n`);
  process.exitCode = exitStatusOf(error);
});
