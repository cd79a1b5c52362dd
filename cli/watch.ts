/** `butlerfs watch SOURCE|MOUNTPOINT TYPE` */

import type { Command } from 'commander';
import type { WatchFlags } from './watch-report.js';

export function define(program: Command): void {
  program
    .command('watch')
    .summary('say what appears')
    .description(
      'Prints a JSON line for each dataset of a type that appears at a source or on a mount, as soon as it does, until it is interrupted. What is there already is left out.',
    )
    .argument('<source|mountpoint>', 'a source, or where it is mounted')
    .argument('<type>', 'a dataset type')
    .option('--where <expression>', "an expression over keys: tract=8766 AND band IN ('g','r')")
    .option('--collections <names>', "search path, separated by commas (default: the mount's, else every RUN; of Gen2 its own data)")
    .option('--since <time>', 'first what is there and was taken in since then: 2026-11-24T12:00:00Z, or 2h for two hours ago')
    .option('--removed', 'also what disappears')
    .option('--count <number>', 'end after so many lines')
    .option('--timeout <duration>', 'end after that time: 10s, 5m; with --count a failure')
    .option('--poll <duration>', 'time between looks at the origin (default: as the mount does, else 10s)')
    .action(async (text: string, type: string, flags: WatchFlags) => {
      const { watchDatasets } = await import('./watch-report.js');
      await watchDatasets(text, type, flags);
    });
}
