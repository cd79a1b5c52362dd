/** The main thread's side of the reader thread: starts it, answers its questions, hands it news, ends it. */

import type { ObjectRequest } from '../cache/contract.js';
import { ButlerfsError, deserializeError, serializeError } from '../common/errors.js';
import type { DataIdValue } from '../registry/contract.js';
import type { FromReader, ReaderSettings, ToReader } from './bridge.js';
import type { KernelStatistics } from './contract.js';
import { KernelThread } from './kernel-thread.js';

/** What the reader thread may ask for. */
export interface ReaderServices {
  fetch(request: ObjectRequest, signal: AbortSignal): Promise<void>;
  /** Bytes of an object whose size is not published. */
  size(request: ObjectRequest, signal: AbortSignal): Promise<number>;
  status(): Promise<string>;
  onError(path: string, operation: string, error: ButlerfsError): void;
}

interface Ready {
  readonly searchPath: readonly string[];
  readonly defaults: Readonly<Record<string, DataIdValue>>;
}

/** Milliseconds for the reader thread to say its numbers. */
const STATISTICS_DEADLINE = 5_000;

export class ReaderHost {
  /** Resolves when the tree can be served; rejects where it cannot. */
  readonly ready: Promise<Ready>;
  /** Resolves when the thread has ended. */
  readonly ended: Promise<void>;
  readonly #thread: KernelThread<ToReader, FromReader>;
  readonly #services: ReaderServices;
  readonly #questions = new Map<number, AbortController>();
  readonly #statistics = new Map<number, (statistics: KernelStatistics) => void>();
  #updated: (() => void) | undefined;
  #becomeReady!: (ready: Ready) => void;
  #failToBecomeReady!: (error: unknown) => void;
  #nextToken = 1;

  constructor(settings: Omit<ReaderSettings, 'wake'>, services: ReaderServices) {
    this.#services = services;
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failToBecomeReady = reject;
    });
    this.ready.catch(() => undefined);
    this.#thread = new KernelThread({
      module: './reader-thread.js',
      settings,
      onMessage: (message) => {
        this.#hear(message);
      },
      onError: (error) => {
        this.#failToBecomeReady(error);
        services.onError(
          '/',
          'reader thread',
          new ButlerfsError('internal', { what: 'the thread that talks to the kernel', why: error.message, cause: error }),
        );
      },
    });
    this.ended = this.#thread.ended.then(() => {
      this.#end();
    });
  }

  get hasEnded(): boolean {
    return this.#thread.hasEnded;
  }

  /** Gives the thread the descriptor of /dev/fuse; from then on it belongs to this object, which closes it. */
  serve(device: number): void {
    this.#thread.own(device);
    this.#thread.tell({ kind: 'serve', device });
  }

  statistics(): Promise<KernelStatistics> {
    const token = this.#nextToken++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#statistics.delete(token);
        reject(
          new ButlerfsError('internal', { what: 'asking the thread that talks to the kernel for its numbers', why: 'it did not answer' }),
        );
      }, STATISTICS_DEADLINE);
      this.#statistics.set(token, (statistics) => {
        clearTimeout(timer);
        resolve(statistics);
      });
      this.#thread.tell({ kind: 'statistics', token });
    });
  }

  /** Resolves when the thread serves the new catalogue and the kernel was told what changed. */
  replaceCatalogue(file: string): Promise<void> {
    return new Promise((resolve) => {
      this.#updated = resolve;
      this.#thread.tell({ kind: 'catalogue', file });
      void this.ended.then(resolve);
    });
  }

  /** After a lazy unmount: fails what still waits for a remote, so that nothing keeps the connection. */
  drain(): void {
    for (const controller of this.#questions.values()) controller.abort();
  }

  async close(): Promise<void> {
    if (this.hasEnded) return;
    this.drain();
    this.#thread.tell({ kind: 'stop' });
    await this.ended;
  }

  #hear(message: FromReader): void {
    switch (message.kind) {
      case 'ready':
        this.#becomeReady(message);
        break;
      case 'unusable':
        this.#failToBecomeReady(deserializeError(message.error));
        break;
      case 'fetch':
        this.#answer(message.token, async (signal) => {
          await this.#services.fetch(message.request, signal);
          return { fetched: true };
        });
        break;
      case 'size':
        this.#answer(message.token, async (signal) => ({ size: await this.#services.size(message.request, signal) }));
        break;
      case 'status':
        this.#answer(message.token, async () => ({ text: await this.#services.status() }));
        break;
      case 'abort':
        this.#questions.get(message.token)?.abort();
        break;
      case 'statistics':
        this.#statistics.get(message.token)?.(message.statistics);
        this.#statistics.delete(message.token);
        break;
      case 'error':
        this.#services.onError(message.path, message.operation, deserializeError(message.error));
        break;
      case 'invalidate':
        void this.#invalidate(message.frames);
        break;
      case 'ended':
        break;
    }
  }

  #answer(token: number, work: (signal: AbortSignal) => Promise<unknown>): void {
    const controller = new AbortController();
    this.#questions.set(token, controller);
    work(controller.signal)
      .then(
        (value) => {
          this.#thread.tell({ kind: 'settled', token, value });
        },
        (error: unknown) => {
          this.#thread.tell({ kind: 'failed', token, error: serializeError(error) });
        },
      )
      .finally(() => {
        this.#questions.delete(token);
      });
  }

  async #invalidate(frames: readonly Uint8Array[]): Promise<void> {
    await this.#thread.notify(frames);
    this.#updated?.();
    this.#updated = undefined;
  }

  #end(): void {
    this.#failToBecomeReady(
      new ButlerfsError('internal', { what: 'the thread that talks to the kernel', why: 'it ended before it was ready' }),
    );
    for (const controller of this.#questions.values()) controller.abort();
  }
}
