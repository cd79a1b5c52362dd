/** `butlerfs prefetch PATH...` */

import { Option } from 'commander';
import type { Command } from 'commander';

interface Flags {
  readonly dryRun?: boolean;
  readonly jobs: number;
  readonly json?: boolean;
}

/** The daemon takes 32 connections; some are left to others. */
const MOST_JOBS = 24;

function parseJobs(text: string): number {
  const jobs = Number(text);
  return Number.isInteger(jobs) && jobs >= 1 && jobs <= MOST_JOBS ? jobs : NaN;
}

export function define(program: Command): void {
  program
    .command('prefetch')
    .summary('bring files into the cache')
    .description(
      'Brings everything below paths of a mount into its cache. What is there already is skipped: begun again, it goes on where it was.',
    )
    .argument('<paths...>', 'files or directories on a mount')
    .option('--dry-run', 'only say what would be fetched')
    .addOption(new Option('--jobs <number>', `files at a time, at most ${MOST_JOBS}`).default(8).argParser(parseJobs))
    .option('--json', 'print JSON lines')
    .action(async (paths: readonly string[], { dryRun, jobs, json }: Flags) => {
      const [{ prefetchPaths }, { ButlerfsError }, { interruptSignal }] = await Promise.all([
        import('./prefetch-report.js'),
        import('../common/errors.js'),
        import('./exit.js'),
      ]);
      if (Number.isNaN(jobs)) throw new ButlerfsError('usage', { what: '--jobs', why: `it is a number from 1 to ${MOST_JOBS}` });
      await prefetchPaths(paths, { dryRun: dryRun === true, jobs, json: json === true, signal: interruptSignal() });
    });
}
