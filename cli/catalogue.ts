/** `butlerfs catalogue create|import|add|remove` */

import type { Command } from 'commander';

const URL = [
  '<url>',
  'postgresql://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, sqlite:///FILE, or a name from the configuration file',
] as const;

export function define(program: Command): void {
  const catalogue = program
    .command('catalogue')
    .summary('make and fill a catalogue on a database server')
    .description('Makes and fills a catalogue on a database server, which many mounts follow: `butlerfs mount URL MOUNTPOINT`.');
  catalogue
    .command('create')
    .description('Makes a catalogue, or brings the tables of one that is there up to date.')
    .argument(...URL)
    .requiredOption('--root <place>', 'where its files are: a directory, or an http(s):// or ssh:// URL')
    .option('--universe <file>', 'dimension universe in JSON or YAML (default: that of what is imported first)')
    .action(async (url: string, flags: { readonly root: string; readonly universe?: string }) => {
      await (await import('./catalogue-change.js')).create(url, flags);
    });
  catalogue
    .command('import')
    .description('Copies what a repository knows into a catalogue. Again, it brings only what changed.')
    .argument(...URL)
    .argument('<source>', 'a repository, as for mount')
    .option('--prune', 'also remove datasets from the RUNs of the source that it has no more')
    .option('--json', 'print the summary as JSON')
    .action(async (url: string, source: string, flags: { readonly prune?: boolean; readonly json?: boolean }) => {
      await (await import('./catalogue-change.js')).importInto(url, source, flags);
    });
  catalogue
    .command('add')
    .description('Adds entries: a JSON object on each line of standard input (docs/catalogues.md), all of them or none.')
    .argument(...URL)
    .option('--json', 'print the summary as JSON')
    .action(async (url: string, flags: { readonly json?: boolean }) => {
      await (await import('./catalogue-change.js')).add(url, flags);
    });
  catalogue
    .command('remove')
    .description('Removes datasets and collections from a catalogue. Files stay where they are.')
    .argument(...URL)
    .argument('[uuids...]', 'datasets')
    .option('--collection <name...>', 'collections; a RUN with its datasets')
    .option('--stdin', 'also what standard input names, a JSON object a line: {"type", "dataId", "collection"}')
    .option('--json', 'print the summary as JSON')
    .action(
      async (
        url: string,
        uuids: readonly string[],
        flags: { readonly collection?: string[]; readonly stdin?: boolean; readonly json?: boolean },
      ) => {
        await (await import('./catalogue-change.js')).remove(url, uuids, flags);
      },
    );
}
