/**
 * Several URLs of one repository as one remote. What one of them does not give is asked of the next; which is asked first follows from how they did so far.
 * The first URL is the repository's name: in messages, logs and cache keys.
 */

import { LRUCache } from 'lru-cache';
import { longLivedController, linkSignals, throwIfAborted } from '../common/deadline.js';
import { ButlerfsError, type ErrorCode } from '../common/errors.js';
import { closingBytes, discard } from './body.js';
import type { MirrorHealth, ObjectStat, ReadOptions, Remote, RemoteBody, RemoteCapabilities, RemoteEntry, RemotePath } from './contract.js';
import { isRetryable, RetryLaterError } from './errors.js';
import { MirrorRecord, type Trial } from './mirror-health.js';

/** Objects of which it is remembered who has which version. */
const VERSIONS_KEPT = 10_000;

export interface MirrorSettings {
  /** Hears of every mirror that failed while another is asked. */
  readonly onFailover?: ((message: string) => void) | undefined;
}

/**
 * `remotes` (at least one; without retries of their own) hold the same repository. Each is asked at most once for an operation, and at most once to go on
 * with a body; where none gives it, the error names each of them and why. Closing it closes them.
 */
export function mirrorRemote(remotes: readonly Remote[], settings: MirrorSettings = {}): Remote {
  return new Mirrors(remotes, settings);
}

interface Mirror {
  readonly remote: Remote;
  readonly record: MirrorRecord;
}

interface Failure {
  readonly mirror: Mirror;
  readonly error: ButlerfsError;
}

/** A version of an object: as it was told, and how each mirror that has it names it. */
interface Version {
  readonly stat: ObjectStat;
  readonly validators: Map<Mirror, string | null>;
}

/** A body of a mirror. */
interface Opened {
  readonly mirror: Mirror;
  readonly trial: Trial;
  readonly body: RemoteBody;
}

class Mirrors implements Remote {
  readonly kind: Remote['kind'];
  readonly url: string;
  readonly #mirrors: readonly Mirror[];
  readonly #settings: MirrorSettings;
  readonly #versions = new LRUCache<RemotePath, Version>({ max: VERSIONS_KEPT });
  /** Who sent the last body of an object. */
  readonly #senders = new LRUCache<RemotePath, Mirror>({ max: VERSIONS_KEPT });
  readonly #closing = longLivedController();

  constructor(remotes: readonly Remote[], settings: MirrorSettings) {
    const [first] = remotes;
    this.kind = first!.kind;
    this.url = first!.url;
    this.#mirrors = remotes.map((remote) => ({ remote, record: new MirrorRecord(remote.url) }));
    this.#settings = settings;
  }

  urlOf(path: RemotePath): string {
    return this.#mirrors[0]!.remote.urlOf(path);
  }

  async stat(path: RemotePath, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<ObjectStat> {
    const ask = (mirror: Mirror): Promise<ObjectStat> => mirror.remote.stat(path, options);
    const { mirror, value } = await this.#inTurn(`asking for ${this.urlOf(path)}`, this.#inGivenOrder(), options.signal, ask);
    return this.#told(path, mirror, value).stat;
  }

  async list(path: RemotePath | '', options: { readonly signal?: AbortSignal | undefined } = {}): Promise<readonly RemoteEntry[]> {
    const url = path === '' ? this.url : this.urlOf(path);
    const ask = (mirror: Mirror): Promise<readonly RemoteEntry[]> => {
      if (mirror.remote.list !== undefined) return mirror.remote.list(path, options);
      throw new ButlerfsError('unsupported', { what: `listing ${url}`, why: 'it lists no directories' });
    };
    return (await this.#inTurn(`listing ${url}`, this.#inGivenOrder(), options.signal, ask)).value;
  }

  async open(path: RemotePath, options: ReadOptions = {}): Promise<RemoteBody> {
    const sender = this.#senders.get(path);
    if (options.fresh === true && sender !== undefined) {
      const why = 'what it sent failed its check';
      sender.record.noteFailure(new ButlerfsError('remote-failed', { what: `reading ${sender.remote.urlOf(path)}`, why }));
      this.#settings.onFailover?.(`${sender.remote.url}: ${why} (${this.urlOf(path)})`);
    }
    const known = this.#versions.get(path);
    const pinned = options.validator != null && known?.stat.validator === options.validator ? known : undefined;
    // Whoever sent what was wrong is asked last, also where the others have failed at something else meanwhile.
    const order = options.fresh === true ? lastOf(this.#bySpeed(pinned), sender) : this.#bySpeed(pinned);
    const opened = await this.#open(path, options, pinned, order);
    const version = pinned ?? this.#told(path, opened.mirror, opened.body.stat);
    return {
      ...opened.body,
      stat: { ...opened.body.stat, validator: version.stat.validator },
      bytes: this.#bytes(path, options, version, opened),
    };
  }

  capabilities(): RemoteCapabilities {
    const [first] = this.#bySpeed(undefined);
    return first?.remote.capabilities?.() ?? { protocol: null, ranges: null, lists: null };
  }

  mirrors(): readonly MirrorHealth[] {
    return this.#mirrors.map(({ record }) => record.health);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#mirrors.map(({ remote }) => remote.close()));
  }

  /** Opens it at the first mirror that has it, in the version `pinned` where one is. */
  async #open(
    path: RemotePath,
    options: ReadOptions,
    pinned: Version | undefined,
    order: readonly Mirror[],
    failures: Failure[] = [],
  ): Promise<Opened> {
    const ask = async (mirror: Mirror): Promise<RemoteBody> => {
      if (pinned === undefined) return mirror.remote.open(path, options);
      const own = pinned.validators.get(mirror);
      const body = await mirror.remote.open(path, { ...options, validator: own ?? null });
      if (own !== undefined || isSameVersion(pinned.stat, body.stat)) return body;
      await discard(body.bytes);
      const found = `${body.stat.size ?? 'unknown'} bytes, version ${body.stat.validator ?? 'unknown'}`;
      const why = `it has another version (wanted ${pinned.stat.size ?? 'unknown'} bytes, ${pinned.stat.validator ?? 'unknown'}, found ${found})`;
      throw new ButlerfsError('remote-changed', { what: `reading ${mirror.remote.urlOf(path)}`, why });
    };
    const { mirror, trial, value } = await this.#inTurn(`reading ${this.urlOf(path)}`, order, options.signal, ask, {
      isBody: true,
      failures,
    });
    if (pinned !== undefined && !pinned.validators.has(mirror)) pinned.validators.set(mirror, value.stat.validator);
    this.#senders.set(path, mirror);
    return { mirror, trial, body: value };
  }

  #bytes(path: RemotePath, options: ReadOptions, version: Version, opened: Opened): AsyncIterable<Uint8Array> {
    const control = linkSignals(options.signal, this.#closing.signal);
    const reading: Reading = { opened, received: 0, waited: 0 };
    return closingBytes(this.#continued(path, { ...options, signal: control.signal }, version, reading), async () => {
      control.unlink();
      if (reading.received > 0) reading.opened.trial.succeeded(reading.received, reading.waited);
      else reading.opened.trial.left();
      // Where it is left before its first chunk, nothing else lets go of the body.
      await discard(reading.opened.body.bytes);
    });
  }

  /** The bytes of one version from as many mirrors as it takes, each asked once. */
  async *#continued(
    path: RemotePath,
    options: ReadOptions,
    version: Version,
    reading: Reading,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const first = options.offset ?? 0;
    const last = Math.min(options.length === undefined ? Infinity : first + options.length, version.stat.size ?? Infinity);
    const failures: Failure[] = [];
    let offset = first;
    for (;;) {
      const { mirror, trial, body } = reading.opened;
      try {
        for await (const chunk of measured(body.bytes, reading)) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        if (!(error instanceof ButlerfsError) || !isRetryable(error) || options.signal?.aborted === true) throw error;
        trial.failed(error);
        failures.push({ mirror, error });
        if (offset >= last) return;
      }
      const others = this.#bySpeed(version).filter((other) => !failures.some((failure) => failure.mirror === other));
      const length = options.length === undefined ? undefined : last - offset;
      reading.opened = await this.#open(path, { ...options, offset, length }, version, others, failures);
      Object.assign(reading, { received: 0, waited: 0 });
    }
  }

  /**
   * What the first mirror in `order` gives that gives anything. The trial of a body goes on with it. `failures`: of mirrors that were asked before.
   */
  async #inTurn<T>(
    what: string,
    order: readonly Mirror[],
    signal: AbortSignal | undefined,
    ask: (mirror: Mirror) => Promise<T>,
    { isBody = false, failures = [] }: { readonly isBody?: boolean; readonly failures?: Failure[] } = {},
  ): Promise<{ readonly mirror: Mirror; readonly trial: Trial; readonly value: T }> {
    for (const mirror of order) {
      throwIfAborted(signal, what);
      const trial = mirror.record.begin();
      try {
        const value = await ask(mirror);
        trial.answered();
        if (!isBody) trial.succeeded(0, 0);
        const last = failures.at(-1);
        if (last !== undefined) this.#settings.onFailover?.(`${last.mirror.remote.url}: ${whyOf(last)}; ${what} at ${mirror.remote.url}`);
        return { mirror, trial, value };
      } catch (error) {
        if (!(error instanceof ButlerfsError) || error.code === 'interrupted') {
          trial.left();
          throw error;
        }
        trial.failed(error);
        trial.left();
        failures.push({ mirror, error });
      }
    }
    throw allFailed(what, failures);
  }

  /** Those that are well, in the order they were given in; then the others, those first that will be asked again first. */
  #inGivenOrder(): Mirror[] {
    const now = Date.now();
    return [
      ...this.#mirrors.filter(({ record }) => !record.isResting(now)),
      ...this.#mirrors.filter(({ record }) => record.isResting(now)).sort((a, b) => a.record.restsUntil - b.record.restsUntil),
    ];
  }

  /** Likewise, the quickest first; before that, those that are known to have the version. */
  #bySpeed(version: Version | undefined): Mirror[] {
    const now = Date.now();
    const rank = ({ record }: Mirror): number => (record.isResting(now) ? 1 : 0);
    const lacks = (mirror: Mirror): number => (version === undefined || version.validators.has(mirror) ? 0 : 1);
    const slowness = new Map(this.#mirrors.map((mirror) => [mirror, mirror.record.slowness(now)]));
    const compared = (a: Mirror, b: Mirror): number => {
      const [left, right] = [slowness.get(a)!, slowness.get(b)!];
      return left === right ? 0 : left - right;
    };
    return this.#inGivenOrder().sort((a, b) => rank(a) - rank(b) || lacks(a) - lacks(b) || (rank(a) === 1 ? 0 : compared(a, b)));
  }

  /**
   * The version as the caller is told of it. What another mirror has with the same size and time is the same version, whatever it calls it: so that an object
   * does not seem to change where another mirror answers.
   */
  #told(path: RemotePath, mirror: Mirror, stat: ObjectStat): Version {
    const known = this.#versions.get(path);
    if (known !== undefined) {
      const own = known.validators.get(mirror);
      const isKnown = own === undefined ? isSameVersion(known.stat, stat) : own === stat.validator && known.stat.size === stat.size;
      if (isKnown) {
        known.validators.set(mirror, stat.validator);
        return known;
      }
    }
    const version: Version = { stat, validators: new Map([[mirror, stat.validator]]) };
    this.#versions.set(path, version);
    return version;
  }
}

function lastOf(mirrors: readonly Mirror[], last: Mirror | undefined): Mirror[] {
  return [...mirrors.filter((mirror) => mirror !== last), ...mirrors.filter((mirror) => mirror === last)];
}

/** A body that is being read, from whichever mirror it comes now. */
interface Reading {
  opened: Opened;
  /** Bytes from this mirror, and the milliseconds they were waited for. */
  received: number;
  waited: number;
}

async function* measured(bytes: AsyncIterable<Uint8Array>, reading: Reading): AsyncGenerator<Uint8Array, void, undefined> {
  let began = performance.now();
  for await (const chunk of bytes) {
    reading.waited += performance.now() - began;
    reading.received += chunk.length;
    yield chunk;
    began = performance.now();
  }
}

/** Whether two mirrors have the same version of an object, as far as they say. */
function isSameVersion(a: ObjectStat, b: ObjectStat): boolean {
  if (a.size === null || a.size !== b.size) return false;
  const isStrong = a.validator !== null && !a.validator.startsWith('W/');
  return (isStrong && a.validator === b.validator) || (a.modified !== null && a.modified === b.modified);
}

/** The codes that say most, before all others. */
const TELLING_CODES: readonly ErrorCode[] = ['remote-failed', 'remote-timeout', 'remote-unreachable', 'remote-changed', 'remote-forbidden'];

/** The error of all of them. It may be tried again where one of theirs may, when the first of those is to be asked again. */
function allFailed(what: string, failures: readonly Failure[]): ButlerfsError {
  const [only] = failures;
  if (failures.length === 1) return only!.error;
  const retryable = failures.filter(({ error }) => isRetryable(error));
  const why = `no mirror gives it: ${failures.map((failure) => `${failure.mirror.remote.url}: ${whyOf(failure)}`).join('; ')}`;
  const telling = retryable.length > 0 ? retryable : failures;
  const { error: cause } = telling.find(({ error }) => TELLING_CODES.includes(error.code)) ?? telling[0]!;
  const code = TELLING_CODES.find((candidate) => telling.some(({ error }) => error.code === candidate)) ?? cause.code;
  if (retryable.length === 0) return new ButlerfsError(code, { what, why, cause });
  const isAbsentAtOne = failures.some(({ error }) => error.code === 'remote-not-found');
  const until = Math.min(...retryable.map(({ mirror }) => mirror.record.restsUntil));
  return new RetryLaterError({ what, why, cause }, Math.max(0, until - Date.now()), { code, isAsked: false, isAbsentAtOne });
}

function whyOf({ error }: Failure): string {
  return error.detail.why ?? error.message;
}
