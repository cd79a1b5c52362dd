/** The switch between online and offline: offline, nothing is asked of an origin, and what is under way ends at once. */

import type { OriginObject, OriginOpener } from '../cache/contract.js';
import { linkSignals, longLivedController, type LinkedController } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { closingBytes } from '../proxy/body.js';

export class OfflineSwitch {
  readonly #mountPoint: string;
  /** Fires when the mount goes offline. */
  #online = longLivedController();

  constructor(mountPoint: string, isOffline: boolean) {
    this.#mountPoint = mountPoint;
    if (isOffline) this.set(true);
  }

  get isOffline(): boolean {
    return this.#online.signal.aborted;
  }

  /** Fires when the mount goes offline; of the present time online. */
  get signal(): AbortSignal {
    return this.#online.signal;
  }

  /** Returns whether that changed anything. */
  set(isOffline: boolean): boolean {
    if (isOffline === this.isOffline) return false;
    if (isOffline) this.#online.abort('the mount went offline');
    else this.#online = longLivedController();
    return true;
  }

  /** What a user hears who asks for something that is not here. */
  error(what: string): ButlerfsError {
    return new ButlerfsError('offline', {
      what,
      why: 'the mount is offline, and it is not in the cache',
      advice: `butlerfs offline ${this.#mountPoint} off, or while online: butlerfs prefetch PATH`,
    });
  }

  /** `open` while online; `offline` errors else, but for origins that are on this host. */
  gate(open: OriginOpener, isHere: (origin: string) => boolean): OriginOpener {
    return (origin) => {
      const what = `reading ${origin}`;
      if (isHere(origin)) return open(origin);
      return {
        stat: (options = {}) => this.#during(what, options.signal, ({ signal }) => open(origin).stat({ ...options, signal })),
        open: (options = {}) => this.#openBody(what, open(origin), options),
      };
    };
  }

  async #openBody(
    what: string,
    object: OriginObject,
    options: NonNullable<Parameters<OriginObject['open']>[0]>,
  ): ReturnType<OriginObject['open']> {
    const online = this.#require(what);
    const linked = linkSignals(options.signal, online);
    try {
      const body = await object.open({ ...options, signal: linked.signal });
      const bytes = closingBytes(this.#explaining(what, online, body.bytes), () => linked.unlink());
      return { ...body, bytes };
    } catch (error) {
      linked.unlink();
      throw online.aborted ? this.error(what) : error;
    }
  }

  async #during<T>(what: string, signal: AbortSignal | undefined, work: (linked: LinkedController) => Promise<T>): Promise<T> {
    const online = this.#require(what);
    const linked = linkSignals(signal, online);
    try {
      return await work(linked);
    } catch (error) {
      throw online.aborted ? this.error(what) : error;
    } finally {
      linked.unlink();
    }
  }

  #explaining(what: string, online: AbortSignal, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return {
      [Symbol.asyncIterator]: () => {
        const inner = bytes[Symbol.asyncIterator]();
        return {
          next: async () => {
            try {
              return await inner.next();
            } catch (error) {
              throw online.aborted ? this.error(what) : error;
            }
          },
          return: async () => {
            await inner.return?.();
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  #require(what: string): AbortSignal {
    if (this.isOffline) throw this.error(what);
    return this.#online.signal;
  }
}
