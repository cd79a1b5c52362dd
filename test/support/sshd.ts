/** A real sshd on 127.0.0.1, with its keys, its configuration and the account of whoever runs the tests. Works for root and for others. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, appendFileSync, constants, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { answers, freePort } from '../../proxy/testing/ports.js';
import { runSuccessfully } from './run.js';
import { eventually, removeDirectory, temporaryDirectory } from './temporary.js';

export type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface SshdOptions {
  /** Host keys to make; default: ed25519. */
  readonly hostKeys?: readonly KeyType[];
  /** Further lines of sshd_config. */
  readonly directives?: readonly string[];
}

const PLACES = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'];

function findSshd(): string {
  const found = PLACES.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error('sshd is needed for this test: scripts/install-packages openssh-server installs it');
  return found;
}

/** Makes a key pair at `file` and `file.pub`. */
export async function makeKey(
  file: string,
  { type = 'ed25519', passphrase = '' }: { type?: KeyType; passphrase?: string } = {},
): Promise<void> {
  await runSuccessfully('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'test', '-f', file]);
}

export class Sshd {
  readonly port: number;
  readonly user = userInfo().username;
  readonly #program: string;
  readonly #place: string;
  readonly #options: SshdOptions;
  #process: ChildProcess | undefined;

  private constructor(program: string, port: number, place: string, options: SshdOptions) {
    this.#program = program;
    this.port = port;
    this.#place = place;
    this.#options = options;
  }

  /** Listens on a free port; resolves when it answers. It lets in whoever has {@link key}. */
  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const sshd = new Sshd(findSshd(), await freePort(), temporaryDirectory('sshd'), options);
    try {
      for (const type of options.hostKeys ?? ['ed25519']) await makeKey(sshd.hostKey(type), { type });
      await makeKey(sshd.key);
      copyFileSync(`${sshd.key}.pub`, sshd.#at('authorized_keys'));
      await sshd.restart();
    } catch (error) {
      await sshd.stop();
      throw error;
    }
    return sshd;
  }

  /** Private key that opens the account. */
  get key(): string {
    return this.#at('id');
  }

  /** File of a private host key; `.pub` beside it. */
  hostKey(type: KeyType = 'ed25519'): string {
    return this.#at(`host_${type}`);
  }

  /** `ssh://127.0.0.1:PORT/...` */
  urlOf(directory: string): string {
    return `ssh://127.0.0.1:${this.port}${directory}`;
  }

  /** Lets in another key as well. */
  authorize(publicKeyFile: string): void {
    appendFileSync(this.#at('authorized_keys'), readFileSync(publicKeyFile));
  }

  /** A line of known_hosts for a host key. */
  knownHostLine(type: KeyType = 'ed25519', name = `[127.0.0.1]:${this.port}`): string {
    const [keyType, key] = readFileSync(`${this.hostKey(type)}.pub`, 'utf8').split(' ');
    return `${name} ${keyType!} ${key!}\n`;
  }

  /** Makes `home` one from which `ssh` would get in: key and known_hosts below its `.ssh`. Returns that directory. */
  welcome(home: string): string {
    const directory = join(home, '.ssh');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    copyFileSync(this.key, join(directory, 'id_ed25519'));
    copyFileSync(`${this.key}.pub`, join(directory, 'id_ed25519.pub'));
    appendFileSync(join(directory, 'known_hosts'), this.knownHostLine(this.#options.hostKeys?.[0]));
    return directory;
  }

  /** What it logged since it was first started. */
  log(): string {
    return readFileSync(this.#at('log'), 'utf8');
  }

  /** Starts on the same port after {@link kill}, with the host keys there are now. */
  async restart(): Promise<void> {
    await this.kill();
    writeFileSync(this.#at('sshd_config'), this.#configuration());
    // Where root runs it, it wants this directory, which the system's own would have made at its start.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const child = spawn(this.#program, ['-D', '-f', this.#at('sshd_config'), '-E', this.#at('log')], { stdio: 'ignore' });
    this.#process = child;
    await eventually('sshd answering', async () => {
      if (child.exitCode !== null) throw new Error(`sshd did not start:\n${this.log()}`);
      return answers(this.port);
    });
  }

  /** Processes that serve connections. */
  sessions(): number {
    return this.#process === undefined ? 0 : descendantsOf(this.#process.pid!).length;
  }

  /** Ends the sessions there are, and goes on to listen. */
  drop(): void {
    this.#signalSessions('SIGKILL');
  }

  /** Stands still until {@link thaw}: connections stay, nothing is answered. */
  freeze(): void {
    this.#signalSessions('SIGSTOP');
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
    this.#signalSessions('SIGCONT');
  }

  /** Ends it with its sessions, at once. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const sessions = descendantsOf(child.pid!);
    child.kill('SIGKILL');
    for (const pid of sessions) signalTo(pid, 'SIGKILL');
    this.#process = undefined;
    await ended;
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    removeDirectory(this.#place);
  }

  #at(name: string): string {
    return join(this.#place, name);
  }

  #signalSessions(signal: NodeJS.Signals): void {
    if (this.#process !== undefined) for (const pid of descendantsOf(this.#process.pid!)) signalTo(pid, signal);
  }

  #configuration(): string {
    const { hostKeys = ['ed25519'], directives = [] } = this.#options;
    return `
ListenAddress 127.0.0.1:${this.port}
${hostKeys.map((type) => `HostKey ${this.hostKey(type)}`).join('\n')}
AuthorizedKeysFile ${this.#at('authorized_keys')}
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
MaxStartups 100
LogLevel VERBOSE
${directives.join('\n')}
`;
  }
}

/** Processes that `pid` started, and those that they started. */
function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // After the command in parentheses, which may hold anything: state and parent (proc(5)).
      const [, parent] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      parents.set(Number(name), Number(parent));
    } catch {
      continue;
    }
  }
  const found = [pid];
  for (const ancestor of found) for (const [child, parent] of parents) if (parent === ancestor) found.push(child);
  return found.slice(1);
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
