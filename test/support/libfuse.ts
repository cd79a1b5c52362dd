/** Whether mounts through libfuse can be tested here, and a plain directory mounted so. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { asButlerfsError } from '../../common/errors.js';
import { loadBinding } from '../../fs/libfuse/binding.js';
import { isMounted } from './mounted.js';
import { projectDirectory } from '../../common/program-file.js';
import { run } from './run.js';
import { eventually, removeDirectory, temporaryDirectory } from './temporary.js';

const MOUNT_DEADLINE = 20_000;
let told = false;

/** Where not, that and why is said once, on standard error. */
export function canUseLibfuse(): boolean {
  try {
    loadBinding();
    return true;
  } catch (error) {
    if (!told) process.stderr.write(`tests through libfuse are left out: ${asButlerfsError(error).message}\n`);
    told = true;
    return false;
  }
}

export interface LibfuseDirectory {
  /** Seen through the mount, and on the disk behind it. */
  readonly mount: string;
  readonly behind: string;
  readonly daemon: ChildProcess;
  /** Whether its daemon has ended. */
  hasEnded(): boolean;
  /** Unmounts by any means, ends the daemon and removes the files. */
  dispose(): Promise<void>;
}

/** Mounts an empty directory with the built program. Throws with the program's own words where it does not mount. */
export async function mountDirectoryThroughLibfuse(): Promise<LibfuseDirectory> {
  const program = join(projectDirectory(), 'dist/scripts/directory/main.js');
  if (!existsSync(program)) throw new Error('dist/scripts/directory/main.js is missing: run `npm run build` first');
  const place = temporaryDirectory('libfuse');
  const [mount, behind] = [join(place, 'mount'), join(place, 'behind')];
  for (const directory of [mount, behind]) mkdirSync(directory);
  const daemon = spawn(process.execPath, [program, '--foreground', '--transport', 'libfuse', '--', behind, mount], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  daemon.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
  const hasEnded = (): boolean => daemon.exitCode !== null || daemon.signalCode !== null;
  const dispose = async (): Promise<void> => {
    if (isMounted(mount)) await run('umount', ['-l', mount], { timeout: 10_000 });
    await eventually('the daemon ending', hasEnded, 5_000).catch(() => daemon.kill('SIGKILL'));
    removeDirectory(place);
  };
  const isThere = new Promise<void>((resolve, reject) => {
    daemon.once('message', (message) => {
      const { error } = message as { readonly error: string | null };
      if (error === null) resolve();
      else reject(new Error(error));
    });
    daemon.once('exit', () => reject(new Error(`the daemon ended: ${said}`)));
    setTimeout(() => reject(new Error('not mounted in time')), MOUNT_DEADLINE).unref();
  });
  await isThere.catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return { mount, behind, daemon, hasEnded, dispose };
}
