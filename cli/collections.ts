/** `butlerfs collections SOURCE|MOUNTPOINT` */

import type { Command } from 'commander';

export function define(program: Command): void {
  program
    .command('collections')
    .summary('list collections')
    .description('Lists the collections of a repository; of a chain, what it searches in turn.')
    .argument('<source|mountpoint>', 'a source, or where it is mounted')
    .option('--json', 'print JSON lines')
    .action(async (text: string, { json }: { json?: boolean }) => {
      const [{ openTarget }, { Output }, { formatTable, printable }] = await Promise.all([
        import('./target.js'),
        import('./output.js'),
        import('./table.js'),
      ]);
      const { catalogue } = await openTarget(text);
      const output = new Output();
      try {
        const all = catalogue.collections();
        if (json === true) {
          for (const { name, type, doc, children } of all) await output.write(`${JSON.stringify({ name, type, doc, children })}\n`);
        } else {
          const rows = all.map(({ name, type, children }) => [name, type, children.join(' ')].map(printable));
          await output.write(formatTable(['COLLECTION', 'TYPE', 'CHILDREN'], rows));
        }
        await output.flush();
      } finally {
        catalogue.close();
      }
    });
}
