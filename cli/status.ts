/** `butlerfs status [MOUNTPOINT]` */

import type { Command } from 'commander';

interface Flags {
  readonly json?: boolean;
  readonly watch?: boolean;
}

/** Milliseconds between looks of --watch. */
const WATCH_INTERVAL = 2_000;

export function define(program: Command): void {
  program
    .command('status')
    .summary('show mounts and how they are')
    .description('Shows the mounts of this user, or one of them in full.')
    .argument('[mountpoint]', 'where it is mounted')
    .option('--json', 'print JSON: of one mount a document, of all one line each')
    .option('--watch', 'show it again every two seconds')
    .action(async (path: string | undefined, { json, watch }: Flags) => {
      const [{ describeMounts, describeOne, jsonOf, lookAtMounts }, { print }, { canonicalMountPoint }] = await Promise.all([
        import('./status-report.js'),
        import('./output.js'),
        import('../mounts/mountinfo.js'),
      ]);
      const mountPoint = path === undefined ? undefined : await canonicalMountPoint(path);
      const report = async (): Promise<string> => {
        const seen = await lookAtMounts(mountPoint);
        if (json === true) return jsonOf(seen);
        return mountPoint === undefined ? describeMounts(seen) : seen.map(describeOne).join('');
      };
      const clear = watch === true && process.stdout.isTTY ? '\u001b[H\u001b[2J' : '';
      await print(clear + (await report()));
      while (watch === true) {
        await new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL));
        await print(clear + (await report()));
      }
    });
}
