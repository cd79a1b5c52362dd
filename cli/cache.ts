/** `butlerfs cache ls|stats|evict|pin|scrub` */

import { Option } from 'commander';
import type { Command } from 'commander';

interface Common {
  readonly cache?: string;
  readonly json?: boolean;
}

const CACHE = ['--cache <directory>', "the cache (default: the configuration's, else $XDG_CACHE_HOME/butlerfs)"] as const;
const PATHS = 'files or directories on a mount, or digests (algorithm:hex)';

export function define(program: Command): void {
  const cache = program
    .command('cache')
    .summary('look at the cache, evict, keep and check what is in it')
    .description('Looks at a cache directory and manages it, beside the mounts that use it or without any.');
  cache
    .command('ls')
    .description('Lists what is in the cache.')
    .option(...CACHE)
    .addOption(
      new Option('--sort <order>', 'used: what was used last comes first; size: the largest comes first').choices(['used', 'size']),
    )
    .option('--json', 'print JSON lines')
    .action(async (flags: Common & { readonly sort?: 'used' | 'size' }) => {
      await (await import('./cache-report.js')).list(flags);
    });
  cache
    .command('stats')
    .description('Says how much is in the cache, and how much room there is.')
    .option(...CACHE)
    .option('--json', 'print JSON')
    .action(async (flags: Common) => {
      await (await import('./cache-report.js')).statistics(flags);
    });
  cache
    .command('evict')
    .description('Evicts files from the cache. What is kept or in use stays.')
    .argument('[paths...]', PATHS)
    .option(...CACHE)
    .option('--to <size>', 'evict what was used longest ago until so much is left')
    .option('--all', 'evict everything')
    .action(async (paths: readonly string[], flags: Common & { readonly to?: string; readonly all?: boolean }) => {
      await (await import('./cache-change.js')).evict(paths, flags);
    });
  cache
    .command('pin')
    .description(
      'Keeps files from eviction, also ones that are not in the cache yet. Each is kept until every path that it was pinned by is unpinned.',
    )
    .argument('<paths...>', PATHS)
    .option(...CACHE)
    .option('--unpin', 'let go of what these paths were pinned for')
    .action(async (paths: readonly string[], flags: Common & { readonly unpin?: boolean }) => {
      await (await import('./cache-change.js')).pin(paths, flags);
    });
  cache
    .command('scrub')
    .description(
      'Reads every file of the cache from the disk and checks it. Damaged ones are set aside and fetched again when they are next read.',
    )
    .option(...CACHE)
    .option('--rate <size>', 'bytes a second at most: 200M (default: as fast as the disk)')
    .option('--json', 'print JSON lines')
    .action(async (flags: Common & { readonly rate?: string }) => {
      await (await import('./cache-scrub.js')).scrubNow(flags);
    });
}
