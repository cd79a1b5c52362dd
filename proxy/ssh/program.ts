/**
 * SFTP through ssh(1), where this host has it: a process of its own then does the ciphers, beside this one, and its options are those that its users know. It asks
 * nobody anything, and takes no host whose key it does not know.
 *
 * ssh(1) looks for its files in the home directory of the account. Where HOME is another one, as in a container or for a service, it is told to look there, since
 * that is what everything else here does.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync } from 'node:fs';
import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { socketPair } from '../../common/socket-pair.js';
import type { SftpChannel } from './channel.js';
import type { HostName } from './config.js';

export interface ProgramSettings {
  /** Milliseconds for connecting. */
  readonly timeout: number;
  /** Its home directory; default: that of this process. */
  readonly home?: string | undefined;
  /** `PATH`; default: that of this process. */
  readonly path?: string | undefined;
}

const DEFAULT_IDENTITIES = ['id_rsa', 'id_ecdsa', 'id_ed25519'];

/** Where ssh(1) is; undefined where it is not, or may not be run. */
export function findSsh(path = process.env['PATH'] ?? ''): string | undefined {
  return path
    .split(delimiter)
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, 'ssh'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Its arguments for the subsystem sftp of a host. */
export function sshArguments({ host, user, port }: HostName, { timeout, home = homedir() }: ProgramSettings): string[] {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'ForwardX11=no',
    'PermitLocalCommand=no',
    'RequestTTY=no',
    // An own connection: one that is shared would end with whoever made it.
    'ControlPath=none',
    `ConnectTimeout=${Math.max(1, Math.ceil(timeout / 1000))}`,
    // With instructions of the processor for it, on most hosts the quickest.
    'Ciphers=^aes128-gcm@openssh.com',
    ...elsewhere(home),
  ];
  return [
    ...options.flatMap((option) => ['-o', option]),
    ...(home === accountHome() ? [] : ['-F', configurationFile(home)]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '-s',
    '--',
    host,
    'sftp',
  ];
}

function elsewhere(home: string): string[] {
  if (home === accountHome()) return [];
  const at = (name: string): string => join(home, '.ssh', name).replaceAll('%', '%%');
  const identities = DEFAULT_IDENTITIES.filter((name) => existsSync(join(home, '.ssh', name)));
  return [`UserKnownHostsFile="${at('known_hosts')}"`, ...identities.map((name) => `IdentityFile="${at(name)}"`)];
}

function configurationFile(home: string): string {
  const own = join(home, '.ssh', 'config');
  return existsSync(own) ? own : 'none';
}

function accountHome(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    // An account without an entry: it has no other home than HOME.
    return undefined;
  }
}

/** Bytes that are taken from ssh(1) at a time, at most. It sends some ten thousand at a time, which wait in the socket. */
const RECEIVED = 256 * 1024;

/** Starts ssh(1). Whether it gets in is heard on the channel: it ends where it does not. */
export function openProgram(program: string, host: HostName, settings: ProgramSettings): SftpChannel {
  const [ours, theirs] = socketPair();
  try {
    const child = spawn(program, sshArguments(host, settings), { stdio: [theirs, theirs, 'pipe'] });
    return new ProgramChannel(child, ours);
  } catch (error) {
    closeSync(ours);
    throw error;
  } finally {
    closeSync(theirs);
  }
}

class ProgramChannel implements SftpChannel {
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #listeners: ((chunk: Buffer) => void)[] = [];

  /** `fd`: a socket whose other end the child reads and writes. */
  constructor(child: ChildProcess, fd: number) {
    this.#child = child;
    const buffer = Buffer.allocUnsafeSlow(RECEIVED);
    const callback = (length: number): boolean => {
      const chunk = buffer.subarray(0, length);
      for (const listener of this.#listeners) listener(chunk);
      return true;
    };
    // One buffer for all that comes: new ones for each piece would be most of what V8 has to collect.
    const options: SocketConstructorOpts & Pick<ConnectOpts, 'onread'> = {
      fd,
      readable: true,
      writable: true,
      onread: { buffer, callback },
    };
    this.#socket = new Socket(options);
    // A socket whose other end is gone: the end of the process says it all.
    this.#socket.on('error', () => undefined);
    this.#socket.unref();
    child.unref();
  }

  get stderr(): Readable {
    return this.#child.stderr!;
  }

  on(event: 'data' | 'error' | 'end' | 'close', listener: ((chunk: Buffer) => void) & ((error: Error) => void) & (() => void)): void {
    if (event === 'data') this.#listeners.push(listener);
    else if (event === 'error') this.#child.on('error', listener);
    else if (event === 'close') this.#child.on('close', () => listener(undefined as never));
    else this.#socket.on('end', listener);
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.end();
    this.#child.kill('SIGTERM');
    // What it has not sent yet is of no more use.
    this.#socket.destroySoon();
  }
}
