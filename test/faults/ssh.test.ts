/** What readers of a mount get when SSH goes wrong: the right bytes or an errno, within the deadline, while the rest of the mount answers. A real sshd. */

import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountRepository, temporaryHome, type TestMount } from '../support/mounted.js';
import { makeKey, Sshd } from '../support/sshd.js';
import { eventually, removeDirectory, temporaryDirectory } from '../support/temporary.js';
import { fileOf } from '../support/tree.js';
import { readingOf, type Outcome } from './reading.js';
import { FaultRepository } from './repository.js';
import { TcpProxy } from './tcp-proxy.js';
import { watch } from './watch.js';

/** Seconds. The idle timeout is longer than what counts as an answer of a mount that waits for nothing (watch.ts). */
const DEADLINE = 4;
const IDLE_TIMEOUT = 2;
const OPTIONS = ['-o', `deadline=${DEADLINE},idle-timeout=${IDLE_TIMEOUT}`];
/** Milliseconds in which an operation that brings nothing new must have failed: the deadline, and time for a busy machine. */
const IN_TIME = 1000 * DEADLINE + 5000;

let place: string;
let repository: FaultRepository;

beforeAll(() => {
  place = temporaryDirectory('faults-ssh');
  // Files of 1 MiB.
  repository = new FaultRepository(join(place, 'repository'), 64, 512);
});
afterAll(() => removeDirectory(place));

interface Behind {
  readonly sshd: Sshd;
  readonly proxy: TcpProxy;
  readonly mount: TestMount;
}

/** A server of its own, what stands before it, and a mount of it by somebody who knows the server. */
async function mountBehind(): Promise<Behind> {
  const sshd = await Sshd.start();
  const proxy = await TcpProxy.start(sshd.port);
  const home = temporaryHome();
  sshd.welcome(home.directory);
  await writeFile(join(home.directory, '.ssh/known_hosts'), sshd.knownHostLine('ed25519', `[127.0.0.1]:${proxy.port}`));
  try {
    const mount = await mountRepository(`ssh://127.0.0.1:${proxy.port}${repository.directory}`, { args: OPTIONS, home });
    return { sshd, proxy, mount };
  } catch (error) {
    await proxy.stop();
    await sshd.stop();
    throw error;
  }
}

interface SshCase {
  readonly what: string;
  readonly begin: (behind: Behind) => void | Promise<void>;
  /** Happens while a file is being read. */
  readonly meanwhile?: (behind: Behind) => void | Promise<void>;
  readonly end: (behind: Behind) => void | Promise<void>;
  readonly outcome: Outcome;
}

const nothing = ({ proxy }: Behind): void => void (proxy.fault = undefined);
const slow = ({ proxy }: Behind): void => void (proxy.fault = { kind: 'slow', bytesPerSecond: 256 * 1024 });

const cases: SshCase[] = [
  {
    what: 'a connection dropped in the middle of a file, once',
    begin: slow,
    meanwhile: async (behind) => {
      await sleep(1000);
      behind.proxy.reset();
      nothing(behind);
    },
    end: nothing,
    outcome: 'right',
  },
  {
    what: 'a session that ends in the middle of a file, once',
    begin: slow,
    meanwhile: async (behind) => {
      await sleep(1000);
      behind.sshd.drop();
      nothing(behind);
    },
    end: nothing,
    outcome: 'right',
  },
  {
    what: 'a connection that is reset again and again',
    begin: ({ proxy }) => void (proxy.fault = { kind: 'reset', after: 0 }),
    end: nothing,
    outcome: 'EIO',
  },
  {
    what: 'a connection on which nothing comes any more',
    begin: ({ proxy }) => void (proxy.fault = { kind: 'stall', after: 0 }),
    end: (behind) => {
      nothing(behind);
      behind.proxy.reset();
    },
    outcome: 'ETIMEDOUT',
  },
  {
    what: 'a server that stands still',
    begin: ({ sshd }) => sshd.freeze(),
    end: ({ sshd }) => sshd.thaw(),
    outcome: 'ETIMEDOUT',
  },
  {
    what: 'a server that is killed in the middle of a file',
    begin: slow,
    meanwhile: async (behind) => {
      await sleep(1000);
      await behind.sshd.kill();
      // With what it had sent already.
      behind.proxy.reset();
      nothing(behind);
    },
    end: ({ sshd }) => sshd.restart(),
    outcome: 'EIO',
  },
  {
    what: 'a byte flipped on the way: SSH finds it, and the connection is made anew',
    begin: ({ proxy }) => void (proxy.fault = { kind: 'flip', at: 300_000, once: true }),
    end: nothing,
    outcome: 'right',
  },
  {
    what: 'promise 11: another host key',
    begin: async ({ sshd, proxy }) => {
      await rename(sshd.hostKey(), `${sshd.hostKey()}.old`);
      await makeKey(sshd.hostKey('rsa'), { type: 'ed25519' });
      await rename(sshd.hostKey('rsa'), sshd.hostKey());
      await sshd.restart();
      proxy.reset();
    },
    end: async ({ sshd, proxy }) => {
      await rename(`${sshd.hostKey()}.old`, sshd.hostKey());
      await sshd.restart();
      proxy.reset();
    },
    outcome: 'EACCES',
  },
];

describe('promises 1, 3, 4 and 5: over SSH', () => {
  const behind: Behind[] = [];
  beforeAll(async () => {
    for (const _ of cases) behind.push(await mountBehind());
  });
  afterAll(async () => {
    for (const { sshd, proxy, mount } of behind) {
      await mount.dispose();
      await proxy.stop();
      sshd.thaw();
      await sshd.stop();
    }
  });

  it.concurrent.each(cases.map((one, index) => ({ ...one, index })))('$what', async ({ begin, meanwhile, end, outcome, index }) => {
    const on = behind[index]!;
    const { mount } = on;
    const [victim, cached, other] = [repository.take(), repository.take(), repository.take()];
    const file = await fileOf(mount, victim.dataset);
    const cachedFile = await fileOf(mount, cached.dataset);
    expect((await readFile(cachedFile)).equals(cached.content)).toBe(true);
    const watching = await watch({
      mount: mount.path,
      file: await fileOf(mount, other.dataset),
      directory: join(mount.path, 'calexp'),
      cached: cachedFile,
    });
    try {
      await begin(on);
      const [reading] = await Promise.all([readingOf(file, victim.content), meanwhile?.(on)]);
      expect(reading.outcome).toBe(outcome);
      expect(reading.milliseconds).toBeLessThan(IN_TIME);
      await watching.expectPrompt();
      await end(on);
      // A host that refused is not asked again for some seconds.
      await eventually('all being well again', async () => (await readingOf(file, victim.content)).outcome === 'right', 30_000);
    } finally {
      watching.stop();
    }
  });

  it('promises 1 and 2: a file that is replaced while it is being read is never a mix of two', async () => {
    const { proxy, mount } = behind[0]!;
    const victim = repository.take();
    const file = await fileOf(mount, victim.dataset);
    const origin = join(repository.directory, victim.path);
    proxy.fault = { kind: 'slow', bytesPerSecond: 512 * 1024 };
    const reading = readingOf(file, victim.content);
    await sleep(700);
    await writeFile(`${origin}.new`, Buffer.alloc(victim.content.length, 7));
    await rename(`${origin}.new`, origin);
    proxy.fault = undefined;
    // The server had the old one open: that, or nothing.
    expect(['right', 'EIO']).toContain((await reading).outcome);
    await writeFile(`${origin}.new`, victim.content);
    await rename(`${origin}.new`, origin);
    expect((await readingOf(file, victim.content)).outcome).toBe('right');
  });
});
