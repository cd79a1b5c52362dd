/** One connection to a host, for all who read from it: made when it is needed, again after it broke, and closed with the last of them. */

import { abortable, interrupted, longLivedController } from '../../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import type { SftpChannel } from './channel.js';
import type { HostName, SshFiles } from './config.js';
import type { Connected } from './connect.js';
import { printable } from './printable.js';
import { findSsh, openProgram } from './program.js';
import { SftpSession, type RequestOptions } from './sftp.js';
import type { ClientChannel } from 'ssh2';

export interface LinkSettings {
  /** Milliseconds without an answer after which a connection is given up. */
  readonly idleTimeout: number;
  /** The password for a user at a host, where one was configured. */
  readonly password: (host: { readonly host: string; readonly port: number; readonly user: string }) => string | undefined;
  /** Whether the configuration has a password for the host: then ssh(1), which takes none, is not tried. */
  readonly hasPassword?: boolean | undefined;
  readonly files?: SshFiles | undefined;
}

/** Milliseconds for which a refusal counts: a host that bans who knocks too often must not hear from every reader. */
const REFUSAL_COUNTS = 5_000;

/** Milliseconds for which ssh(1) is not tried again where it did not get in. */
const PROGRAM_PAUSE = 30_000;

/** Failures that another attempt does not cure soon. */
const REFUSALS: readonly string[] = ['remote-forbidden', 'configuration', 'unsupported'];

export class Link {
  readonly #name: HostName;
  readonly #settings: LinkSettings;
  readonly #closing = longLivedController();
  #session: SftpSession | undefined;
  #connecting: Promise<SftpSession> | undefined;
  #withoutProgramUntil = -Infinity;
  #refusal: { readonly error: ButlerfsError; readonly until: number } | undefined;

  constructor(name: HostName, settings: LinkSettings) {
    this.#name = name;
    this.#settings = settings;
  }

  /**
   * The session there is, or a new one. All who wait share one attempt, which goes on when one of them is interrupted. Rejects as `connectTo` does,
   * and for some seconds with the last refusal.
   */
  async session({ what, signal }: RequestOptions): Promise<SftpSession> {
    if (this.#session !== undefined) return this.#session;
    if (this.#refusal !== undefined && performance.now() < this.#refusal.until) throw this.#refusal.error;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return abortable(this.#connecting, signal, what);
  }

  /** Ends it: requests under way reject with `interrupted`. Idempotent. */
  close(): void {
    this.#closing.abort();
    this.#session?.end(new ButlerfsError('interrupted', { what: 'the SFTP session', why: 'it was closed' }));
  }

  async #connect(): Promise<SftpSession> {
    return (await this.#connectByProgram()) ?? (await this.#connectByLibrary());
  }

  /**
   * Through ssh(1); undefined where that is not here, or does not get in. Then the library tries, which can give passwords, and which can say why nobody is let in
   * and what to do about it.
   */
  async #connectByProgram(): Promise<SftpSession | undefined> {
    const { idleTimeout, files, hasPassword } = this.#settings;
    const isPassedOver = files !== undefined || hasPassword === true || performance.now() < this.#withoutProgramUntil;
    const program = isPassedOver ? undefined : findSsh();
    if (program === undefined) return undefined;
    const channel = openProgram(program, this.#name, { timeout: idleTimeout });
    try {
      return await this.#begin(channel, () => channel.close());
    } catch (error) {
      channel.close();
      if (this.#closing.signal.aborted) throw error;
      this.#withoutProgramUntil = performance.now() + PROGRAM_PAUSE;
      return undefined;
    }
  }

  async #connectByLibrary(): Promise<SftpSession> {
    const { idleTimeout, files, password } = this.#settings;
    const { signal } = this.#closing;
    let connected: Connected | undefined;
    try {
      // With it comes the library, which who reads over HTTP does without.
      const { connectTo } = await import('./connect.js');
      connected = await connectTo(this.#name, {
        timeout: idleTimeout,
        files,
        signal,
        password: ({ alias, port, user }) => password({ host: alias, port, user }),
      });
      const { client, close } = connected;
      const channel = await new Promise<ClientChannel>((resolve, reject) => {
        const fail = (why: string, cause?: unknown): void => {
          const advice = 'the server must offer the subsystem sftp';
          reject(new ButlerfsError('remote-failed', { what: this.#what, why, advice, cause }));
        };
        const timer = setTimeout(() => fail(`no answer for ${idleTimeout / 1000} s`), idleTimeout);
        client.once('close', () => fail('the connection was closed'));
        client.subsys('sftp', (error, channel) => {
          clearTimeout(timer);
          if (error) fail(printable(error.message), error);
          else resolve(channel);
        });
      });
      const session = await this.#begin(channel, close);
      const why = 'the connection was closed';
      client.once('close', () => session.end(new ButlerfsError('remote-failed', { what: this.#what, why })));
      return session;
    } catch (error) {
      connected?.close();
      const failure = asButlerfsError(error);
      if (REFUSALS.includes(failure.code)) this.#refusal = { error: failure, until: performance.now() + REFUSAL_COUNTS };
      throw failure;
    }
  }

  get #what(): string {
    return `opening SFTP at ${this.#name.host}`;
  }

  /** The session that others get from now on, once the server has said its first words. `close` is called when it ends. */
  async #begin(channel: SftpChannel, close: () => void): Promise<SftpSession> {
    const { signal } = this.#closing;
    // Undefined where it ends with its first words.
    let session = undefined as SftpSession | undefined;
    session = await SftpSession.start(channel, this.#settings.idleTimeout, {
      what: this.#what,
      signal,
      onEnd: () => {
        if (session !== undefined && this.#session === session) this.#session = undefined;
        close();
      },
    });
    if (signal.aborted) {
      session.end(interrupted(this.#what, signal.reason));
      throw interrupted(this.#what, signal.reason);
    }
    this.#session = session;
    return session;
  }
}

interface Shared {
  readonly link: Link;
  users: number;
}

const links = new Map<string, Shared>();

/** A link that remotes with equal keys share; the last `release` closes it. */
export function shareLink(key: string, make: () => Link): { readonly link: Link; release(): void } {
  const shared = links.get(key) ?? { link: make(), users: 0 };
  links.set(key, shared);
  shared.users++;
  let held = true;
  return {
    link: shared.link,
    release: () => {
      if (!held) return;
      held = false;
      if (--shared.users > 0) return;
      links.delete(key);
      shared.link.close();
    },
  };
}
