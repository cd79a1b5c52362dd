/** `butlerfs mount SOURCE MOUNTPOINT` */

import { Option } from 'commander';
import type { Command } from 'commander';
import type { Setting } from '../mounts/options.js';

interface Flags {
  readonly collections?: string;
  readonly default?: readonly string[];
  readonly calibs?: readonly string[];
  readonly cache?: string;
  readonly cacheSize?: string;
  readonly cacheFree?: string;
  readonly quota?: string;
  readonly scrub?: string;
  readonly offline?: boolean;
  readonly wholeSize?: string;
  readonly mirror?: readonly string[];
  readonly rateLimit?: string;
  readonly caFile?: string;
  readonly verify?: string;
  readonly publicKey?: string;
  readonly allowOther?: boolean;
  readonly readOnly?: boolean;
  readonly foreground?: boolean;
  readonly rerun?: string;
  readonly rerunRoot?: string;
  readonly existing?: string;
  readonly options?: readonly string[];
}

const append = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export function define(program: Command): void {
  program
    .command('mount')
    .summary('mount a repository')
    .description('Mounts a repository. Returns once the mount answers; a daemon then serves it.')
    .argument('<source>', 'a directory, http(s)://..., ssh://..., postgresql://..., mysql://..., or a name from the configuration file')
    .argument('<mountpoint>', 'an empty directory')
    .option('--collections <names>', "search path, separated by commas (default: the repository's, else every RUN; of Gen2 its own data)")
    .option('--default <key=value>', 'value for a key that paths then need not give; repeatable', append)
    .option('--calibs <type=collection,...>', 'where datasets of a type are looked up, in place of the search path; repeatable', append)
    .option('--cache <directory>', 'where fetched files are kept (default: $XDG_CACHE_HOME/butlerfs)')
    .option('--cache-size <size>', 'size that the cache stays below (default: 50G)')
    .option('--cache-free <size>', 'space that the cache leaves free on its disk (default: 5 % of it, at most 10G)')
    .option('--quota <size>', 'size that what this mount brings into the cache stays below')
    .option('--scrub <time>', 'time in which every file of the cache is read again and checked: 30d (default), 0 for never')
    .option('--offline', 'read what is in the cache, and contact nothing')
    .option(
      '--whole-size <size>',
      'files up to this size are fetched and checked whole before they are read; larger ones by chunk (default: 64M)',
    )
    .option('--mirror <url>', 'another place of the same repository, asked where this one fails; repeatable', append)
    .option('--rate-limit <rate>', 'bytes a second that come over the network at most: 10M')
    .option('--ca-file <file>', 'PEM file with authorities that may vouch for servers, beside the known ones')
    .option('--verify <when>', 'check content when it is fetched (default), or also at every open: fetch, open')
    .option('--public-key <key>', 'show only what is signed with this key: ed25519:BASE64, or a file that holds it')
    .option('--allow-other', 'let other users look in')
    .option('--read-only', 'no effect: mounts of this version are read-only')
    .option('-f, --foreground', 'stay in the foreground, log to standard error')
    .option(
      '-o, --options <list>',
      'options as in /etc/fstab: collections, default, calibs, cache, cache-size, cache-free, quota, scrub, offline, whole-size, verify, allow_other, ro, deadline, idle-timeout, mirror, rate-limit, ca-file, poll, log-level, transport, public-key',
      append,
    )
    .addOption(new Option('--rerun <name>').hideHelp())
    .addOption(new Option('--rerun-root <directory>').hideHelp())
    .addOption(new Option('--existing <policy>').hideHelp())
    .action(async (source: string, mountPoint: string, flags: Flags) => {
      const { mountInBackground, mountInForeground, prepareOptions } = await import('./mount-request.js');
      const { splitOptions } = await import('../mounts/options.js');
      const settings = [...(flags.options ?? []).flatMap(splitOptions), ...settingsOf(flags)];
      const options = await prepareOptions({ source, mountPoint, settings, workingDirectory: process.cwd() });
      await (flags.foreground === true ? mountInForeground(options) : mountInBackground(options));
    });
}

/** Flags under their names after `-o`. */
function settingsOf(flags: Flags): Setting[] {
  const valued: readonly (readonly [string, string | undefined])[] = [
    ['collections', flags.collections],
    ...(flags.default ?? []).map((text) => ['default', text] as const),
    ...(flags.calibs ?? []).map((text) => ['calibs', text] as const),
    ['cache', flags.cache],
    ['cache-size', flags.cacheSize],
    ['cache-free', flags.cacheFree],
    ['quota', flags.quota],
    ['scrub', flags.scrub],
    ['whole-size', flags.wholeSize],
    ...(flags.mirror ?? []).map((url) => ['mirror', url] as const),
    ['rate-limit', flags.rateLimit],
    ['ca-file', flags.caFile],
    ['verify', flags.verify],
    ['public-key', flags.publicKey],
    ['rerun', flags.rerun],
    ['rerun-root', flags.rerunRoot],
    ['existing', flags.existing],
  ];
  const settings = valued.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  if (flags.allowOther === true) settings.push({ name: 'allow_other', value: '' });
  if (flags.offline === true) settings.push({ name: 'offline', value: '' });
  if (flags.readOnly === true) settings.push({ name: 'ro', value: '' });
  return settings;
}
