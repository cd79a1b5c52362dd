#!/usr/bin/env node
/**
 * `mount.fuse.butlerfs SOURCE MOUNTPOINT [-sfnv] [-o OPT,...] [-t TYPE]`: what mount(8) runs for `mount -t fuse.butlerfs` and lines of /etc/fstab.
 * `-f` only checks the options.
 */

import { parseArgs } from 'node:util';
import { ButlerfsError } from '../common/errors.js';
import { runAndExit } from './exit.js';

const usage = 'usage: mount.fuse.butlerfs SOURCE MOUNTPOINT [-sfnv] [-o OPT,...]';

await runAndExit(async () => {
  const { source, mountPoint, lists, isFake } = parseWords();
  const [{ mountInBackground, prepareOptions }, { splitOptions }] = await Promise.all([
    import('./mount-request.js'),
    import('../mounts/options.js'),
  ]);
  const options = await prepareOptions({
    source,
    mountPoint,
    settings: lists.flatMap(splitOptions),
    workingDirectory: process.cwd(),
    fromMountHelper: true,
  });
  if (!isFake) await mountInBackground(options);
}, false);

function parseWords(): { source: string; mountPoint: string; lists: readonly string[]; isFake: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        o: { type: 'string', short: 'o', multiple: true, default: [] },
        t: { type: 'string', short: 't' },
        N: { type: 'string', short: 'N' },
        s: { type: 'boolean', short: 's' },
        f: { type: 'boolean', short: 'f', default: false },
        n: { type: 'boolean', short: 'n' },
        v: { type: 'boolean', short: 'v' },
      },
    });
    const [source, mountPoint, ...more] = positionals;
    if (source === undefined || mountPoint === undefined || more.length > 0) throw new Error('it takes a source and a mount point');
    return { source, mountPoint, lists: values.o, isFake: values.f };
  } catch (cause) {
    throw new ButlerfsError('usage', {
      what: cause instanceof Error ? cause.message.split('\n')[0]! : 'wrong usage',
      advice: usage,
      cause,
    });
  }
}
