/** `butlerfs publish DIRECTORY` */

import type { Command } from 'commander';
import type { PublishFlags } from './publish-report.js';

export function define(program: Command): void {
  program
    .command('publish')
    .summary('sign a repository for readers of a static copy')
    .description(
      'Writes a signed manifest, the catalogue and the digests of all files beside a repository. Mounts with the public key then verify every byte, from any web server or cache.',
    )
    .argument('[directory]', 'the repository, where its files are')
    .option('--key <file>', 'private key (PEM, ed25519) to sign with')
    .option('--generate-key <prefix>', 'make a key first: <prefix>.pem, and <prefix>.pub for readers')
    .option('--jobs <n>', 'threads that hash (default: one for each core)')
    .option('--all', 'hash also what was not touched since the last publication')
    .option('--keep-going', 'go on after a file that is not what the registry says, to name them all')
    .option('--allow-missing', 'leave out files that are not there')
    .option('--verify', 'check what is published against the files, and write nothing')
    .option('--public-key <key>', 'for --verify: the public key, ed25519:BASE64 or a file')
    .option('--json', 'print the report as JSON')
    .action(async (directory: string | undefined, flags: PublishFlags) => {
      const { runPublish } = await import('./publish-report.js');
      await runPublish(directory, flags);
    });
}
