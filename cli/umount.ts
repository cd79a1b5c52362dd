/** `butlerfs umount MOUNTPOINT` */

import type { Command } from 'commander';

export function define(program: Command): void {
  program
    .command('umount')
    .summary('end a mount')
    .description('Ends a mount and its daemon. Files that are open on it stay readable until they are closed.')
    .argument('<mountpoint>', 'where it is mounted')
    .action(async (path: string) => {
      const [{ unmountAt }, { canonicalMountPoint }, { findDirectories }, { remark }, { interruptSignal }] = await Promise.all([
        import('../mounts/unmount.js'),
        import('../mounts/mountinfo.js'),
        import('../mounts/directories.js'),
        import('./output.js'),
        import('./exit.js'),
      ]);
      const { mountStates } = findDirectories();
      await unmountAt(await canonicalMountPoint(path), { mountStates, say: remark, signal: interruptSignal() });
    });
}
