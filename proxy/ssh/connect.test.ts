/** Who is let in, and which hosts are believed: with a real sshd and a real ssh-agent. */

import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runSuccessfully } from '../../test/support/run.js';
import { makeKey, Sshd } from '../../test/support/sshd.js';
import { eventually, removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import type { CredentialLookup } from '../credentials.js';
import { parseRemotePath } from '../paths.js';
import { fingerprintOf } from './known-hosts.js';
import { openSshRemote } from './open.js';

let sshd: Sshd;
let root: string;
let home: string;
let ssh: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  root = temporaryDirectory('ssh-root');
  writeFileSync(join(root, 'file'), 'content');
  sshd = await Sshd.start({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
}, 30_000);

afterAll(async () => {
  await sshd?.stop();
  removeDirectory(root);
});

beforeEach(() => {
  home = temporaryDirectory('ssh-home');
  ssh = sshd.welcome(home);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  removeDirectory(home);
});

interface Attempt {
  readonly url?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly credentials?: CredentialLookup;
  readonly idleTimeout?: number;
}

/** Reads the file as somebody at home in `home` would. */
async function attempt({ url, environment = {}, credentials = () => undefined, idleTimeout = 5_000 }: Attempt = {}): Promise<void> {
  const files = { home, systemDirectory: join(home, 'system'), environment };
  const remote = openSshRemote(new URL(url ?? sshd.urlOf(root)), { credentials, idleTimeout, files });
  try {
    expect((await remote.stat(parseRemotePath('file'))).size).toBe(7);
  } finally {
    await remote.close();
  }
}

async function startAgent(): Promise<string> {
  const socket = join(home, 'agent');
  children.push(spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' }));
  await eventually('the agent', () => existsSync(socket));
  return socket;
}

const configure = (text: string): void => writeFileSync(join(ssh, 'config'), text, { mode: 0o600 });
const knownHosts = (text: string): void => writeFileSync(join(ssh, 'known_hosts'), text);
const fingerprint = (type: 'ed25519' | 'rsa'): string =>
  fingerprintOf(Buffer.from(sshd.knownHostLine(type).trim().split(' ')[2]!, 'base64'));

describe('logging in', { timeout: 20_000 }, () => {
  it('with a default key, as the user of the URL or the one who runs this', async () => {
    await attempt();
    await attempt({ url: sshd.urlOf(root).replace('ssh://', `ssh://${sshd.user}@`) });
  });

  it('with a key of the agent, though its file has a passphrase', async () => {
    const socket = await startAgent();
    const environment = { SSH_AUTH_SOCK: socket };
    await runSuccessfully('ssh-add', ['-q', join(ssh, 'id_ed25519')], { env: environment });
    await runSuccessfully('ssh-keygen', ['-q', '-p', '-N', 'a phrase', '-f', join(ssh, 'id_ed25519')]);
    await attempt({ environment });
    // Also where only keys of files may be used, and its public half is known from the file alone.
    rmSync(join(ssh, 'id_ed25519.pub'));
    configure('IdentitiesOnly yes\n');
    await attempt({ environment });
    configure(`IdentityAgent ${socket}\n`);
    await attempt();
    configure('IdentityAgent none\n');
    await expect(attempt({ environment })).rejects.toMatchObject({ code: 'remote-forbidden' });
  });

  it('of many keys in the agent, the one that is named comes first', async () => {
    const socket = await startAgent();
    for (let i = 0; i < 8; i++) {
      await makeKey(join(home, `key${i}`));
      await runSuccessfully('ssh-add', ['-q', join(home, `key${i}`)], { env: { SSH_AUTH_SOCK: socket } });
    }
    renameSync(join(ssh, 'id_ed25519'), join(home, 'mine'));
    await runSuccessfully('ssh-add', ['-q', join(home, 'mine')], { env: { SSH_AUTH_SOCK: socket } });
    const environment = { SSH_AUTH_SOCK: socket };
    await expect(attempt({ environment })).resolves.toBeUndefined();
    renameSync(join(ssh, 'id_ed25519.pub'), join(home, 'mine.pub'));
    await expect(attempt({ environment })).rejects.toMatchObject({
      code: 'remote-forbidden',
      message: expect.stringContaining('the agent (9 keys); it does not want to see more keys') as string,
    });
    configure(`IdentityFile %d/mine.pub\nIdentitiesOnly yes\n`);
    await attempt({ environment });
  });

  it('a key with a passphrase that no agent holds is named, with what to do', async () => {
    const key = join(ssh, 'id_ed25519');
    await runSuccessfully('ssh-keygen', ['-q', '-p', '-N', 'a phrase', '-f', key]);
    for (const environment of [{}, { SSH_AUTH_SOCK: await startAgent() }] as Record<string, string>[]) {
      const error = await attempt({ environment }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'remote-forbidden' });
      expect((error as Error).message).toContain(`${key} is left out: it has a passphrase, and no agent holds it`);
      expect((error as Error).message).toContain(`run: ssh-add ${key}`);
    }
  });

  it('a key that others can read, one that is not there and a dead agent are named', async () => {
    chmodSync(join(ssh, 'id_ed25519'), 0o644);
    configure('IdentityFile ~/.ssh/id_ed25519\nIdentityFile ~/nowhere\n');
    const error = await attempt({ environment: { SSH_AUTH_SOCK: join(home, 'dead') } }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'remote-forbidden' });
    for (const part of ['others can read it', `chmod 600 ${ssh}/id_ed25519`, `${home}/nowhere is left out`, `the agent at ${home}/dead`])
      expect((error as Error).message).toContain(part);
  });

  it('a stranger is refused, and the server is not asked again at once', async () => {
    rmSync(join(ssh, 'id_ed25519'));
    rmSync(join(ssh, 'id_ed25519.pub'));
    await makeKey(join(ssh, 'id_ed25519'));
    const files = { home, systemDirectory: home, environment: {} };
    const remote = openSshRemote(new URL(sshd.urlOf(root)), { credentials: () => undefined, idleTimeout: 5_000, files });
    try {
      const connections = (): number => sshd.log().split('Connection from').length;
      await expect(remote.stat(parseRemotePath('file'))).rejects.toMatchObject({ code: 'remote-forbidden' });
      const before = connections();
      await expect(remote.stat(parseRemotePath('file'))).rejects.toMatchObject({
        code: 'remote-forbidden',
        message: expect.stringContaining(`the host accepts none of: ${ssh}/id_ed25519`) as string,
      });
      expect(connections()).toBe(before);
    } finally {
      await remote.close();
    }
  });

  it('goes by ssh_config: host names, ports, users, patterns, what is included, what matches', async () => {
    renameSync(join(ssh, 'id_ed25519'), join(ssh, 'other key'));
    configure(`
Include config.d/*.conf
Host *.example !archive.example
  Port 1
Host archive.example
  HostName 127.0.0.1
Match originalhost archive.example user nobody-of-that-name
  Port 2
Match exec "true"
  Port 3
Match host 127.0.0.1 user ${sshd.user}
  Port ${sshd.port}
  IdentityFile "%d/.ssh/other key"
User nobody
`);
    mkdirSync(join(ssh, 'config.d'));
    writeFileSync(join(ssh, 'config.d/user.conf'), `Host archive*\n  User=${sshd.user}\nHost none\n  User nobody\n`);
    await attempt({ url: `ssh://archive.example${root}` });
  });

  it('promise 11: a password is for the host and the user that it was given for', async () => {
    const asked: string[] = [];
    const credentials: CredentialLookup = (url) => {
      asked.push(url.href);
      return { kind: 'basic', username: 'somebody else', password: 'secret word', source: 'configuration' };
    };
    rmSync(join(ssh, 'id_ed25519'));
    const error = await attempt({ credentials }).catch((reason: unknown) => reason);
    expect([...new Set(asked)]).toEqual([`ssh://127.0.0.1:${sshd.port}`]);
    expect((error as Error).message).toContain('there is nothing to log in with');
    const withPassword = sshd.urlOf(root).replace('ssh://', `ssh://${sshd.user}:secret%20word@`);
    const refused = await attempt({ url: withPassword }).catch((reason: unknown) => reason);
    expect((refused as Error).message).toContain('the host accepts none of: the password that was given for it');
    expect((refused as Error).message).not.toMatch(/secret/);
  });
});

describe('host keys', { timeout: 20_000 }, () => {
  it('hashed names are found', async () => {
    await runSuccessfully('ssh-keygen', ['-q', '-H', '-f', join(ssh, 'known_hosts')]);
    expect(readFileSync(join(ssh, 'known_hosts'), 'utf8')).toMatch(/^\|1\|/);
    await attempt();
  });

  it('of several keys the known one is asked for', async () => {
    for (const type of ['rsa', 'ecdsa', 'ed25519'] as const) {
      knownHosts(sshd.knownHostLine(type));
      await attempt();
    }
  });

  it('promise 11: an unknown host is refused with its fingerprint and what to do', async () => {
    knownHosts('');
    const error = await attempt().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'remote-forbidden' });
    expect((error as Error).message).toContain(`it is not known (it shows ssh-ed25519 ${fingerprint('ed25519')})`);
    expect((error as Error).message).toContain(`run once: ssh -p ${sshd.port} ${sshd.user}@127.0.0.1`);
  });

  it('promise 11: a changed key is refused with file and line', async () => {
    const [name] = sshd.knownHostLine().split(' ');
    const other = join(home, 'other');
    await makeKey(other);
    knownHosts(`# somebody\n${name!} ${readFileSync(`${other}.pub`, 'utf8')}`);
    const error = await attempt().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'remote-forbidden' });
    expect((error as Error).message).toContain(
      `it has changed: it shows ssh-ed25519 ${fingerprint('ed25519')}, and ${ssh}/known_hosts:2 has`,
    );
  });

  it('a revoked key is refused though it is also known', async () => {
    appendFileSync(join(ssh, 'known_hosts'), `@revoked * ${sshd.knownHostLine().split(' ').slice(1).join(' ')}`);
    const error = await attempt().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'remote-forbidden' });
    expect((error as Error).message).toContain(`${ssh}/known_hosts:2 says that ssh-ed25519 ${fingerprint('ed25519')} is revoked`);
  });

  it('an authority is not a key of the host', async () => {
    knownHosts(`@cert-authority ${sshd.knownHostLine()}`);
    await expect(attempt()).rejects.toMatchObject({ code: 'remote-forbidden' });
  });

  it('HostKeyAlias, and files of other places', async () => {
    knownHosts('');
    writeFileSync(join(home, 'elsewhere'), sshd.knownHostLine('ed25519', 'other.example,archive-*'));
    configure('HostKeyAlias archive-7\nUserKnownHostsFile ~/nowhere %d/elsewhere\n');
    await attempt();
    configure('HostKeyAlias archive7\nUserKnownHostsFile ~/elsewhere\n');
    await expect(attempt()).rejects.toMatchObject({ code: 'remote-forbidden' });
    configure('UserKnownHostsFile none\nGlobalKnownHostsFile /nowhere ~/global\n');
    writeFileSync(join(home, 'global'), sshd.knownHostLine());
    await attempt();
  });
});

describe('the way to a host', { timeout: 20_000 }, () => {
  let jump: Sshd;
  beforeAll(async () => {
    jump = await Sshd.start();
  }, 30_000);
  afterAll(() => jump?.stop());

  const configureJumps = (jumps: string): void => {
    copyFileSync(jump.key, join(ssh, 'jump-key'));
    configure(`
Host jump
  HostName 127.0.0.1
  Port ${jump.port}
  IdentityFile ~/.ssh/jump-key
Host target
  HostName 127.0.0.1
  Port ${sshd.port}
  ProxyJump ${jumps}
`);
  };

  it('leads through other hosts, each of which must be known', async () => {
    configureJumps('jump');
    await expect(attempt({ url: `ssh://target${root}` })).rejects.toMatchObject({
      code: 'remote-forbidden',
      message: expect.stringContaining(`the host key of 127.0.0.1:${jump.port}`) as string,
    });
    appendFileSync(join(ssh, 'known_hosts'), jump.knownHostLine());
    await attempt({ url: `ssh://target${root}` });
    expect(jump.log()).toContain('Accepted publickey');
    knownHosts(jump.knownHostLine());
    await expect(attempt({ url: `ssh://target${root}` })).rejects.toMatchObject({
      code: 'remote-forbidden',
      message: expect.stringContaining(`the host key of 127.0.0.1:${sshd.port}`) as string,
    });
  });

  it('leads through a chain, and not round and round', async () => {
    appendFileSync(join(ssh, 'known_hosts'), jump.knownHostLine());
    configureJumps(`jump,ssh://${jump.user}@jump:${jump.port}`);
    await attempt({ url: `ssh://target${root}` });
    configureJumps('round');
    appendFileSync(join(ssh, 'config'), `Host round\n  ProxyJump target\n`);
    await expect(attempt({ url: `ssh://target${root}` })).rejects.toMatchObject({ code: 'configuration' });
  });

  it('that breaks in between is gone again', async () => {
    appendFileSync(join(ssh, 'known_hosts'), jump.knownHostLine());
    configureJumps('jump');
    const files = { home, systemDirectory: join(home, 'system'), environment: {} };
    const remote = openSshRemote(new URL(`ssh://target${root}`), { credentials: () => undefined, idleTimeout: 10_000, files });
    try {
      await remote.stat(parseRemotePath('file'));
      jump.drop();
      const began = performance.now();
      await eventually(
        'a new way',
        () =>
          remote.stat(parseRemotePath('file')).then(
            () => true,
            () => false,
          ),
        5_000,
      );
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      await remote.close();
    }
    await eventually('the end of both connections', () => [jump, sshd].every((server) => server.sessions() === 0));
  });

  it('a host that the one before does not reach is unreachable', async () => {
    appendFileSync(join(ssh, 'known_hosts'), jump.knownHostLine());
    configureJumps('jump');
    await expect(attempt({ url: `ssh://target:1${root}` })).rejects.toMatchObject({ code: 'remote-unreachable' });
  });

  it('a command is not run, and says so', async () => {
    configure(`ProxyCommand touch ${home}/ran\n`);
    await expect(attempt()).rejects.toMatchObject({ code: 'unsupported' });
    expect(existsSync(join(home, 'ran'))).toBe(false);
  });
});

describe('hosts that do not answer as they should', { timeout: 20_000 }, () => {
  let server: Server;
  let onSocket: (socket: Socket) => void;
  let url: string;
  const sockets = new Set<Socket>();
  beforeEach(async () => {
    server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      onSocket(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `ssh://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it.each([
    ['says nothing', 'remote-timeout', (): void => undefined],
    ['hangs up', 'remote-failed', (socket: Socket): void => void socket.end()],
    ['speaks something else', 'remote-failed', (socket: Socket): void => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['sends garbage after its banner', 'remote-failed', (socket: Socket): void => void socket.write(`SSH-2.0-x\r\n${'\xff'.repeat(4000)}`)],
    ['never ends its banner', /remote-(failed|timeout)/, (socket: Socket): void => void socket.write('SSH-2.0-'.padEnd(1_000_000, 'x'))],
  ])('one that %s', async (_, code, behave) => {
    onSocket = behave;
    const began = performance.now();
    const error = await attempt({ url, idleTimeout: 500 }).catch((reason: unknown) => reason);
    expect((error as { code: string }).code).toMatch(code);
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  it('one that nobody listens at', async () => {
    await new Promise((resolve) => server.close(resolve));
    await expect(attempt({ url })).rejects.toMatchObject({
      code: 'remote-unreachable',
      message: expect.stringContaining('refused') as string,
    });
    await expect(attempt({ url: 'ssh://no-such-host.invalid/x' })).rejects.toMatchObject({ code: 'remote-unreachable' });
  });
});
