/** Database servers refuse to run as root: where the tests do, they run under an account of their own. */

import { chownSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

export interface ServerUser {
  /** Name of the account that the server runs as. */
  readonly name: string;
  /** A command line that runs the given one as that account. */
  readonly as: (words: readonly string[]) => string[];
  /** Makes a directory the account's own. */
  readonly own: (directory: string) => void;
}

/** `account` is the one that the server's package makes. */
export function serverUser(account: string): ServerUser {
  if (process.getuid?.() !== 0) {
    return { name: process.env['USER'] ?? 'nobody', as: (words) => [...words], own: () => undefined };
  }
  const numberOf = (flag: string): number => {
    const { stdout, status } = spawnSync('id', [flag, account], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`there is no account ${account}`);
    return Number(stdout);
  };
  const [uid, gid] = [numberOf('-u'), numberOf('-g')];
  return {
    name: account,
    as: (words) => ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...words],
    own: (directory) => chownSync(directory, uid, gid),
  };
}
