/** `butlerfs offline MOUNTPOINT on|off` */

import { Argument } from 'commander';
import type { Command } from 'commander';

/** Milliseconds that a daemon has to answer: going online it looks at the origin once. */
const DEADLINE = 30_000;

export function define(program: Command): void {
  program
    .command('offline')
    .summary('read from the cache alone, or from the origin again')
    .description(
      'on: what is in the cache is read, what is not fails at once (ENONET), and nothing is contacted. off: the origin is asked again.',
    )
    .argument('<mountpoint>', 'where it is mounted')
    .addArgument(new Argument('<state>', 'on or off').choices(['on', 'off']))
    .action(async (path: string, state: 'on' | 'off') => {
      const [{ findMount }, { askDaemon }, { interruptSignal }] = await Promise.all([
        import('./find-mount.js'),
        import('../mounts/control.js'),
        import('./exit.js'),
      ]);
      const { state: mount } = await findMount(path);
      await askDaemon(mount.socket, { command: 'offline', on: state === 'on' }, { deadline: DEADLINE, signal: interruptSignal() });
    });
}
