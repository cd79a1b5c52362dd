/** `butlerfs define [SOURCE] TYPE` */

import type { Command } from 'commander';

/** As commander gives them. */
export interface DefineFlags {
  readonly list?: boolean;
  readonly user?: boolean;
  readonly json?: boolean;
  readonly dimensions?: string;
  readonly template?: string;
  readonly name?: string;
  readonly location?: string;
  readonly format?: string;
  readonly storageClass?: string;
  readonly collection?: string;
  readonly directory?: string;
  readonly default?: readonly string[];
}

export function define(program: Command): void {
  program
    .command('define')
    .summary('define a dataset type: where its files are, and their data IDs')
    .description(
      'Defines a dataset type in butlerfs.yaml of a repository, in a catalogue on a database server, or in your configuration. ' +
        'Files that its template finds then appear by data ID (docs/defining.md).',
    )
    .argument('[source]', 'a repository, as for mount (default: the working directory; with --user each that the definition fits)')
    .argument('[type]', 'name of the dataset type')
    .option('--dimensions <names>', 'what identifies a dataset, separated by commas; an empty text for none')
    .option(
      '--template <path>',
      "path with fields: 'rerun/{rerun}/my/{visit:07d}-{detector:03d}.fits'; below --location, where that is given",
    )
    .option('--location <name>', 'beginning of the path, by its name (--list shows them)')
    .option('--name <file>', 'in place of --template: name of the file below --location')
    .option('--format <format>', 'fits, parquet, json, yaml, pickle, ecsv, csv, hdf5, text or png')
    .option('--storage-class <name>', 'storage class (default: that of the format, else Unknown)')
    .option('--collection <run>', 'of a Gen3 repository: RUN of its datasets, where the path has no {run} (default: defined)')
    .option('--directory <place>', 'of a Gen3 repository: where paths begin, a directory or an http(s) URL (default: the repository)')
    .option('--default <key=value...>', 'of a Gen3 repository: what paths do not say, as instrument=HSC')
    .option('--user', 'define it in your configuration, not in the repository')
    .option('--list', 'show all dataset types, and where each comes from')
    .option('--json', 'print JSON lines')
    .action(async (source: string | undefined, type: string | undefined, flags: DefineFlags) => {
      const { runDefine, runList } = await import('./define-report.js');
      await (flags.list === true ? runList(source, type, flags) : runDefine(source, type, flags));
    });
}
