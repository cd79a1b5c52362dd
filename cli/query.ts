/** `butlerfs query TYPE SOURCE|MOUNTPOINT` */

import { Option } from 'commander';
import type { Command } from 'commander';
import { ButlerfsError } from '../common/errors.js';

interface Flags {
  readonly id?: readonly string[];
  readonly where?: string;
  readonly collections?: string;
  readonly dimensions?: string;
  readonly missing?: string;
  readonly json?: boolean;
  readonly paths?: boolean;
}

const append = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export function define(program: Command): void {
  program
    .command('query')
    .summary('find datasets, or data IDs')
    .description(
      'Finds datasets of one type by their data IDs, or without a type data IDs that dimension records define: one line for each, in the order of their paths.',
    )
    .usage('[options] [type] <source|mountpoint>')
    .argument(
      '<words...>',
      'a dataset type (not with --dimensions or --missing), and a source, or where it is mounted; before it, more of --id',
    )
    .option('--id <key=value>', 'a key that the data ID must have; repeatable, and `--id a=1 b=2` does as well', append)
    .option('--where <expression>', "an expression over keys: tract=8766 AND band IN ('g','r')")
    .option('--collections <names>', "search path, separated by commas (default: the mount's, else every RUN; of Gen2 its own data)")
    .addOption(
      new Option('--dimensions <names>', 'data IDs over these dimensions, data or not: visit,detector').conflicts(['missing', 'paths']),
    )
    .addOption(new Option('--missing <type>', 'data IDs that dimension records define and the search path lacks').conflicts('paths'))
    .addOption(new Option('--json', 'print JSON lines').conflicts('paths'))
    .addOption(new Option('--paths', 'print the paths of the files on the mount; of a source, below one').conflicts('json'))
    .action(async (words: readonly string[], flags: Flags) => {
      const isOfType = flags.dimensions === undefined && flags.missing === undefined;
      const [type = '', ...others] = isOfType ? words : ['', ...words];
      const text = others.at(-1);
      if (text === undefined) {
        throw new ButlerfsError('usage', {
          what: 'a dataset type, or a source or mount point, is missing',
          advice: 'butlerfs query --help shows how',
        });
      }
      const id = [...(flags.id ?? []), ...others.slice(0, -1)];
      const [{ openTarget }, { Output }] = await Promise.all([import('./target.js'), import('./output.js')]);
      const target = await openTarget(text, flags.collections);
      const output = new Output();
      try {
        for (const line of await linesOf()) await output.write(line);
        await output.flush();
      } finally {
        target.catalogue.close();
      }

      async function linesOf(): Promise<Iterable<string>> {
        const { where, dimensions, missing, json = false } = flags;
        if (!isOfType) {
          const { dataIdLines } = await import('./query-data-ids.js');
          return dataIdLines(target, { dimensions, missing, id, where }, json);
        }
        const { findDatasets, foundLines } = await import('./query-report.js');
        return foundLines(target, findDatasets(target, { type, id, where }), flags);
      }
    });
}
