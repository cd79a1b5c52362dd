/** `butlerfs query TYPE SOURCE|MOUNTPOINT` */

import { Option } from 'commander';
import type { Command } from 'commander';

interface Flags {
  readonly id?: readonly string[];
  readonly where?: string;
  readonly collections?: string;
  readonly json?: boolean;
  readonly paths?: boolean;
}

const append = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export function define(program: Command): void {
  program
    .command('query')
    .summary('find datasets')
    .description('Finds datasets of one type by their data IDs: one line for each, in the order of their paths.')
    .usage('[options] <type> <source|mountpoint>')
    .argument('<type>', 'a dataset type')
    .argument('<words...>', 'a source, or where it is mounted; before it, more of --id')
    .option('--id <key=value>', 'a key that the data ID must have; repeatable, and `--id a=1 b=2` does as well', append)
    .option('--where <expression>', "an expression over keys: tract=8766 AND band IN ('g','r')")
    .option('--collections <names>', "search path, separated by commas (default: the mount's, else every RUN)")
    .addOption(new Option('--json', 'print JSON lines').conflicts('paths'))
    .addOption(new Option('--paths', 'print the paths of the files on the mount; of a source, below one').conflicts('json'))
    .action(async (type: string, words: readonly string[], flags: Flags) => {
      const text = words.at(-1)!;
      const id = [...(flags.id ?? []), ...words.slice(0, -1)];
      const [{ openTarget }, { findDatasets, printerFor }, { Output }] = await Promise.all([
        import('./target.js'),
        import('./query-report.js'),
        import('./output.js'),
      ]);
      const target = await openTarget(text, flags.collections);
      const output = new Output();
      try {
        const found = findDatasets(target, { type, id, where: flags.where });
        for (const line of printerFor(flags)(target, found)) await output.write(line);
        await output.flush();
      } finally {
        target.catalogue.close();
      }
    });
}
