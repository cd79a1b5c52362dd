/**
 * A process of its own on a cache, for tests: `child.ts DIRECTORY ORIGIN`. It takes one command a line on standard input and answers each with one line of
 * JSON on standard output: `ensure PATH [DIGEST]`, `open PATH [DIGEST]`, `close`, `evict LIMIT`, `exit`.
 */

import { createInterface } from 'node:readline';
import { asButlerfsError } from '../../common/errors.js';
import { openRemote } from '../../proxy/assemble.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { ObjectRequest, OpenObject } from '../contract.js';
import { parseDigest } from '../digest.js';
import { openCache } from '../store.js';

const [directory = '', origin = ''] = process.argv.slice(2);
const remote = openRemote(origin);
const cache = openCache({
  directory,
  limit: Number.MAX_SAFE_INTEGER,
  verify: 'fetch',
  lease: 1,
  openOrigin: (url) => {
    const path = parseRemotePath(url.slice(origin.length + 1));
    return { stat: (options) => remote.stat(path, options), open: (options) => remote.open(path, options) };
  },
});
const open: OpenObject[] = [];

async function run(command: string, [first = '', second]: string[]): Promise<unknown> {
  const request: ObjectRequest = {
    origin: `${origin}/${first}`,
    identity: 'child',
    digest: second === undefined ? undefined : parseDigest(second),
  };
  switch (command) {
    case 'ensure':
      await cache.ensure(request);
      return 'ensured';
    case 'open': {
      const object = cache.openIfPresent(request);
      if (object !== undefined) open.push(object);
      return object ?? null;
    }
    case 'close':
      for (const object of open.splice(0)) cache.close(object);
      return 'closed';
    case 'evict':
      return cache.evict(Number(first));
    default:
      await cache.close();
      await remote.close();
      return 'bye';
  }
}

function say(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', ...words] = line.split(' ');
  try {
    say(await run(command, words));
  } catch (error) {
    say({ code: asButlerfsError(error).code, message: asButlerfsError(error).message });
  }
  if (command === 'exit') break;
}
process.exit(0);
