/** One connection to a host, for all who read from it: made when it is needed, again after it broke, and closed with the last of them. */

import { abortable, interrupted, longLivedController } from '../../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import type { HostName, SshFiles } from './config.js';
import type { Connected } from './connect.js';
import { printable } from './printable.js';
import { SftpSession, type RequestOptions } from './sftp.js';
import type { ClientChannel } from 'ssh2';

export interface LinkSettings {
  /** Milliseconds without an answer after which a connection is given up. */
  readonly idleTimeout: number;
  /** The password for a user at a host, where one was configured. */
  readonly password: (host: { readonly host: string; readonly port: number; readonly user: string }) => string | undefined;
  readonly files?: SshFiles | undefined;
}

/** Milliseconds for which a refusal counts: a host that bans who knocks too often must not hear from every reader. */
const REFUSAL_COUNTS = 5_000;

/** Failures that another attempt does not cure soon. */
const REFUSALS: readonly string[] = ['remote-forbidden', 'configuration', 'unsupported'];

export class Link {
  readonly #name: HostName;
  readonly #settings: LinkSettings;
  readonly #closing = longLivedController();
  #session: SftpSession | undefined;
  #connecting: Promise<SftpSession> | undefined;
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
      const what = `opening SFTP at ${this.#name.host}`;
      const channel = await new Promise<ClientChannel>((resolve, reject) => {
        const fail = (why: string, cause?: unknown): void => {
          reject(new ButlerfsError('remote-failed', { what, why, advice: 'the server must offer the subsystem sftp', cause }));
        };
        const timer = setTimeout(() => fail(`no answer for ${idleTimeout / 1000} s`), idleTimeout);
        client.once('close', () => fail('the connection was closed'));
        client.subsys('sftp', (error, channel) => {
          clearTimeout(timer);
          if (error) fail(printable(error.message), error);
          else resolve(channel);
        });
      });
      const session = await SftpSession.start(channel, idleTimeout, {
        what,
        signal,
        onEnd: () => {
          if (this.#session === session) this.#session = undefined;
          close();
        },
      });
      client.once('close', () => session.end(new ButlerfsError('remote-failed', { what, why: 'the connection was closed' })));
      if (signal.aborted) {
        session.end(interrupted(what, signal.reason));
        throw interrupted(what, signal.reason);
      }
      this.#session = session;
      return session;
    } catch (error) {
      connected?.close();
      const failure = asButlerfsError(error);
      if (REFUSALS.includes(failure.code)) this.#refusal = { error: failure, until: performance.now() + REFUSAL_COUNTS };
      throw failure;
    }
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
