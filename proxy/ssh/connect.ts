/** A connection to a host: over the hosts before it, with its key checked and somebody logged in. */

import { isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import type { Client, ServerHostKeyAlgorithm } from 'ssh2';
import { interrupted } from '../../common/deadline.js';
import { ButlerfsError, type ErrorCode } from '../../common/errors.js';
import { connectionFailure, systemCodeOf } from '../errors.js';
import { hostSettings, type HostName, type HostSettings, type SshFiles } from './config.js';
import { findIdentities, type Identities } from './identities.js';
import { fingerprintOf, judgeHostKey, keyTypeOf, knownKeyTypes, readKnownHosts, type KnownHost, type KnownName } from './known-hosts.js';
import { printable } from './printable.js';

export interface ConnectSettings {
  /** Milliseconds for each step of the way at most. */
  readonly timeout: number;
  /** The password for a host, where one was configured for it. */
  readonly password: (settings: HostSettings) => string | undefined;
  readonly files?: SshFiles | undefined;
  /** Aborting ends the attempt. */
  readonly signal: AbortSignal;
}

/** Somebody is logged in. */
export interface Connected {
  readonly client: Client;
  /** Ends it, and the connections it goes through. Idempotent. */
  close(): void;
}

/** As many hosts in a row as anybody has; more go in a circle. */
const LONGEST_CHAIN = 8;

/** Oldest last; SHA-1 is not among them. */
const HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/**
 * Connects to a host as ssh(1) would. Rejects with `remote-unreachable` or `remote-timeout` where it does not answer, `remote-forbidden` where its key is not
 * known or nobody is let in, `remote-failed` where it breaks off, `configuration`, `unsupported` or `interrupted`.
 */
export async function connectTo(name: HostName, settings: ConnectSettings): Promise<Connected> {
  return connectThrough(await hostSettings(name, settings.files), undefined, settings, 0);
}

async function connectThrough(
  host: HostSettings,
  jumps: readonly HostName[] | undefined,
  settings: ConnectSettings,
  depth: number,
): Promise<Connected> {
  const through = jumps ?? host.jumps;
  if (depth === LONGEST_CHAIN) {
    throw new ButlerfsError('configuration', {
      what: `the way to ${host.alias}`,
      why: `ProxyJump leads over more than ${LONGEST_CHAIN} hosts`,
    });
  }
  const last = through.at(-1);
  if (last === undefined)
    return login(
      host,
      () => dial(host, settings),
      settings,
      () => undefined,
    );
  // Of a list, each host is reached through those before it; the first as its own settings say.
  const before = through.length > 1 ? through.slice(0, -1) : undefined;
  const jump = await connectThrough(await hostSettings(last, settings.files), before, settings, depth + 1);
  try {
    return await login(
      host,
      () => forward(jump.client, host, settings),
      settings,
      () => jump.close(),
    );
  } catch (error) {
    jump.close();
    throw error;
  }
}

/** `name` for messages. */
function placeOf({ hostName, port }: HostSettings): string {
  const host = isIP(hostName) === 6 ? `[${hostName}]` : hostName;
  return port === 22 ? host : `${host}:${port}`;
}

function timeoutOf({ connectTimeout = Infinity }: HostSettings, { timeout }: ConnectSettings): number {
  return Math.min(connectTimeout, timeout);
}

/** Runs one step of the way; `stop` tears down what it began. */
function step<T>(
  host: HostSettings,
  settings: ConnectSettings,
  late: { readonly code: ErrorCode; readonly why: string },
  begin: (resolve: (value: T) => void, reject: (error: Error) => void) => () => void,
): Promise<T> {
  const what = `connecting to ${placeOf(host)}`;
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      settle();
      stop();
      reject(error);
    };
    const onAbort = (): void => fail(interrupted(what, settings.signal.reason));
    const timeout = timeoutOf(host, settings);
    const timer = setTimeout(() => fail(new ButlerfsError(late.code, { what, why: `${late.why} for ${timeout / 1000} s` })), timeout);
    const settle = (): void => {
      clearTimeout(timer);
      settings.signal.removeEventListener('abort', onAbort);
    };
    let stop = (): void => undefined;
    stop = begin((value) => {
      settle();
      resolve(value);
    }, fail);
    settings.signal.addEventListener('abort', onAbort, { once: true });
    if (settings.signal.aborted) onAbort();
  });
}

function dial(host: HostSettings, settings: ConnectSettings): Promise<Duplex> {
  const late = { code: 'remote-unreachable', why: 'it does not answer' } as const;
  return step(host, settings, late, (resolve, reject) => {
    const socket = new Socket();
    socket.once('error', (error) => reject(unreachable(host, error)));
    socket.connect({ host: host.hostName, port: host.port, noDelay: true, keepAlive: true }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    return () => socket.on('error', () => undefined).destroy();
  });
}

function forward(jump: Client, host: HostSettings, settings: ConnectSettings): Promise<Duplex> {
  const late = { code: 'remote-unreachable', why: 'the host before it does not get through' } as const;
  return step(host, settings, late, (resolve, reject) => {
    const onClose = (): void => reject(unreachable(host, new Error('the connection to the host before it was lost')));
    jump.once('close', onClose);
    jump.forwardOut('127.0.0.1', 0, host.hostName, host.port, (error, channel) => {
      jump.removeListener('close', onClose);
      if (error) reject(unreachable(host, new Error(`the host before it says: ${printable(error.message)}`)));
      else resolve(channel);
    });
    return () => undefined;
  });
}

async function login(host: HostSettings, reach: () => Promise<Duplex>, settings: ConnectSettings, after: () => void): Promise<Connected> {
  const name: KnownName = { host: host.hostKeyAlias ?? host.hostName, port: host.hostKeyAlias === undefined ? host.port : 22 };
  const [known, identities] = await Promise.all([readKnownHosts(host.knownHosts), findIdentities(host, settings.password(host))]);
  // Only now: whatever happens to the socket from here on is heard.
  const socket = await reach();
  const client = new ssh2.Client();
  const late = { code: 'remote-timeout', why: 'nobody could log in' } as const;
  await step<undefined>(host, settings, late, (resolve, reject) => {
    let refusal: ButlerfsError | undefined;
    const methods = [...identities.methods];
    client.on('error', (error) => {
      // A key that the agent does not sign with after all: the next one is tried.
      if ((error as { readonly level?: string }).level !== 'agent') reject(refusal ?? loginFailure(host, identities, error));
    });
    client.once('close', () => reject(refusal ?? brokenOff(host, 'the connection was closed by the other side')));
    client.once('ready', () => {
      client.removeAllListeners('error').removeAllListeners('close');
      // Whoever uses it hears of its end by `close`.
      client.on('error', () => undefined);
      resolve(undefined);
    });
    client.connect({
      sock: socket,
      username: host.user,
      readyTimeout: 0,
      keepaliveInterval: Math.max(500, settings.timeout),
      keepaliveCountMax: 3,
      algorithms: { serverHostKey: preferredAlgorithms(knownKeyTypes(known, name)) },
      hostVerifier: (key: Buffer) => {
        refusal = refusalOf(host, known, name, key);
        return refusal === undefined;
      },
      // `false` ends the list.
      authHandler: (_left, _partial, next) => next((methods.shift() ?? false) as Parameters<typeof next>[0]),
    });
    return () => {
      client
        .removeAllListeners('error')
        .removeAllListeners('close')
        .on('error', () => undefined);
      client.destroy();
      socket.on('error', () => undefined).destroy();
    };
  });
  client.once('close', after);
  return {
    client,
    close: () => {
      client.end();
      client.destroy();
      socket.destroy();
      after();
    },
  };
}

/** Algorithms for keys that are known come first, so that a host with several keys shows one of those. */
function preferredAlgorithms(types: readonly string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: string): boolean => types.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  return [...HOST_KEY_ALGORITHMS.filter(isKnown), ...HOST_KEY_ALGORITHMS.filter((algorithm) => !isKnown(algorithm))];
}

function refusalOf(host: HostSettings, known: readonly KnownHost[], name: KnownName, key: Buffer): ButlerfsError | undefined {
  const verdict = judgeHostKey(known, name, key);
  if (verdict.kind === 'known') return undefined;
  const shown = `${keyTypeOf(key) ?? 'key'} ${fingerprintOf(key)}`;
  const what = `the host key of ${placeOf(host)}`;
  const command = `ssh ${host.port === 22 ? '' : `-p ${host.port} `}${host.user}@${host.alias}`;
  const check = `compare the fingerprint with what the host's administrator says, then run once: ${command}`;
  if (verdict.kind === 'unknown') {
    const why = `it is not known (it shows ${shown})`;
    return new ButlerfsError('remote-forbidden', { what, why, advice: check });
  }
  const at = `${verdict.entry.file}:${verdict.entry.line}`;
  if (verdict.kind === 'revoked') return new ButlerfsError('remote-forbidden', { what, why: `${at} says that ${shown} is revoked` });
  if (verdict.kind === 'other-type') {
    const why = `it shows ${shown}, and ${at} has only a key of type ${verdict.entry.keyType}`;
    return new ButlerfsError('remote-forbidden', { what, why, advice: check });
  }
  return new ButlerfsError('remote-forbidden', {
    what,
    why: `it has changed: it shows ${shown}, and ${at} has ${fingerprintOf(verdict.entry.key)}; somebody may be in between`,
    advice: `if the host really has a new key, remove that line and run once: ${command}`,
  });
}

function loginFailure(host: HostSettings, identities: Identities, error: Error & { readonly level?: string }): ButlerfsError {
  const { offered, problems, advice } = identities;
  if (error.level === 'client-authentication' || /too many authentication failures/i.test(error.message)) {
    const tried = offered.length === 0 ? 'there is nothing to log in with' : `the host accepts none of: ${offered.join(', ')}`;
    const tooMany = offered.length === 0 || error.level === 'client-authentication' ? [] : ['it does not want to see more keys'];
    return new ButlerfsError('remote-forbidden', {
      what: `logging in to ${placeOf(host)} as ${host.user}`,
      why: [tried, ...tooMany, ...problems].join('; '),
      advice: advice ?? `\`ssh -o BatchMode=yes ${host.user}@${host.alias}\` must work; ~/.ssh/config can name user and key`,
      cause: error,
    });
  }
  if (error.level === 'handshake' && /no matching/i.test(error.message)) {
    const why = printable(error.message);
    return new ButlerfsError('remote-forbidden', { what: `connecting to ${placeOf(host)}`, why, cause: error });
  }
  if (error.level === 'client-timeout')
    return new ButlerfsError('remote-timeout', { what: `connecting to ${placeOf(host)}`, why: 'it does not answer', cause: error });
  return brokenOff(host, systemCodeOf(error) === undefined ? printable(error.message) : connectionFailure(error), error);
}

function brokenOff(host: HostSettings, why: string, cause?: Error): ButlerfsError {
  return new ButlerfsError('remote-failed', { what: `connecting to ${placeOf(host)}`, why, cause });
}

function unreachable(host: HostSettings, error: Error): ButlerfsError {
  return new ButlerfsError('remote-unreachable', { what: `connecting to ${placeOf(host)}`, why: connectionFailure(error), cause: error });
}
