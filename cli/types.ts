/** `butlerfs types SOURCE|MOUNTPOINT` */

import type { Command } from 'commander';

interface Flags {
  readonly collections?: string;
  readonly json?: boolean;
}

export function define(program: Command): void {
  program
    .command('types')
    .summary('list dataset types')
    .description('Lists the dataset types that hold datasets on the search path, with the keys that a data ID of each must give.')
    .argument('<source|mountpoint>', 'a source, or where it is mounted')
    .option('--collections <names>', "search path, separated by commas (default: the mount's, else every RUN; of Gen2 its own data)")
    .option('--json', 'print JSON lines')
    .action(async (text: string, { collections, json }: Flags) => {
      const [{ openTarget }, { openView }, { Output }, { formatTable, printable }] = await Promise.all([
        import('./target.js'),
        import('../fs/tree/view.js'),
        import('./output.js'),
        import('./table.js'),
      ]);
      const { catalogue, defaults, ...target } = await openTarget(text, collections);
      const output = new Output();
      try {
        const types = openView(catalogue, { ...target, order: [] }, defaults).types();
        if (json === true) {
          for (const { name, storageClass, dimensions, isCalibration } of types) {
            const { required, implied } = dimensions;
            await output.write(`${JSON.stringify({ name, storageClass, required, implied, isCalibration })}\n`);
          }
        } else {
          const rows = types.map(({ name, storageClass, dimensions }) =>
            [name, dimensions.required.join(','), storageClass].map(printable),
          );
          await output.write(formatTable(['TYPE', 'KEYS', 'STORAGE CLASS'], rows));
        }
        await output.flush();
      } finally {
        catalogue.close();
      }
    });
}
