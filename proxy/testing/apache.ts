/** A real Apache on 127.0.0.1, where this host has one. */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.js';
import type { RunningNginx } from './server.js';

const PROGRAM = '/usr/sbin/apache2';
const MODULES = '/usr/lib/apache2/modules';

export function hasApache(): boolean {
  return existsSync(PROGRAM) && existsSync(`${MODULES}/mod_dav_fs.so`);
}

/** Apache serving `root` with listings, and with lines added to its configuration; `@` in them is its own directory. */
export async function startApache(root: string, extra = ''): Promise<RunningNginx> {
  const directory = mkdtempSync(join(tmpdir(), 'butlerfs-apache-'));
  const port = await freePort();
  const names =
    'mpm_event unixd authn_core authn_file authz_core authz_user auth_basic auth_digest autoindex dir mime alias headers deflate filter dav dav_fs';
  // What is built in cannot be loaded.
  const loaded = names.split(' ').filter((name) => existsSync(`${MODULES}/mod_${name}.so`));
  writeFileSync(
    join(directory, 'apache.conf'),
    `ServerName localhost
     ServerRoot ${directory}
     PidFile ${directory}/pid
     ErrorLog ${directory}/error.log
     Listen 127.0.0.1:${port}
     ${loaded.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
     DefaultRuntimeDir ${directory}
     DavLockDB ${directory}/locks
     StartServers 1
     TypesConfig /dev/null
     DocumentRoot ${root}
     <Directory ${root}>
       Options Indexes
       Require all granted
     </Directory>
     ${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
     ${extra.replaceAll('@', directory)}
    `,
  );
  // Its processes give up what root may do, so what they read is made readable.
  const child = spawn(PROGRAM, ['-f', join(directory, 'apache.conf'), '-DFOREGROUND'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; !(await answers(url)); attempt++) {
    if (attempt > 200 || child.exitCode !== null) throw new Error(`apache2 did not start:\n${logOf(directory)}`);
    await sleep(20);
  }
  return {
    url,
    close: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function logOf(directory: string): string {
  const file = join(directory, 'error.log');
  return existsSync(file) ? readFileSync(file, 'utf8') : 'no log';
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}
