/** `butlerfs index SOURCE` */

import type { Command } from 'commander';

export function define(program: Command): void {
  program
    .command('index')
    .summary('read or refresh the catalogue of a source')
    .description('Reads or refreshes the catalogue of a source without mounting it.')
    .argument('<source>', 'a directory, http(s)://..., ssh://..., or a name from the configuration file')
    .option('--json', 'print the facts of the catalogue as JSON')
    .action(async (source: string, { json }: { json?: boolean }) => {
      const [{ openQuietly }, { loadConfiguration }, { findDirectories }, { endProgress, print, remark }] = await Promise.all([
        import('./target.js'),
        import('../mounts/configuration.js'),
        import('../mounts/directories.js'),
        import('./output.js'),
      ]);
      const onWarning = (message: string): void => {
        endProgress();
        remark(`warning: ${message}`);
      };
      const configuration = await loadConfiguration(findDirectories().configurationFiles);
      const opened = await openQuietly(source, configuration, { thorough: true, onWarning });
      try {
        const untold = opened.warnings.count - opened.warnings.first.length;
        if (untold > 0) remark(`warning: and ${untold} more`);
        const { info, catalogueFile } = opened;
        const facts = `${info.repository}: ${info.datasets} datasets (${info.unstored} more without files), catalogue version ${info.version}`;
        await print(json === true ? `${JSON.stringify({ ...info, catalogueFile })}\n` : `${facts}\n`);
        if (opened.problem !== undefined) throw opened.problem;
      } finally {
        await opened.close();
      }
    });
}
