/** The main thread's side of the reader thread: starts it, answers its questions, hands it news, ends it. */

import { closeSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { ObjectRequest } from '../cache/contract.js';
import { ButlerfsError, deserializeError, serializeError } from '../common/errors.js';
import { wakePipe } from '../fs/kernel/native.js';
import type { DataIdValue } from '../registry/contract.js';
import type { FromReader, ReaderSettings, ToReader } from './bridge.js';
import type { KernelStatistics } from './contract.js';

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

const writeAsync = promisify(write);
const WAKE = Buffer.from([1]);
/** Milliseconds for the reader thread to say its numbers. */
const STATISTICS_DEADLINE = 5_000;

export class ReaderHost {
  /** Resolves when the tree can be served; rejects where it cannot. */
  readonly ready: Promise<Ready>;
  /** Resolves when the thread has ended. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #services: ReaderServices;
  readonly #wakeRead: number;
  readonly #wakeWrite: number;
  readonly #questions = new Map<number, AbortController>();
  readonly #statistics = new Map<number, (statistics: KernelStatistics) => void>();
  #updated: (() => void) | undefined;
  #becomeReady!: (ready: Ready) => void;
  #failToBecomeReady!: (error: unknown) => void;
  #device: number | undefined;
  #nextToken = 1;
  #hasEnded = false;

  constructor(settings: Omit<ReaderSettings, 'wake'>, services: ReaderServices) {
    this.#services = services;
    [this.#wakeRead, this.#wakeWrite] = wakePipe();
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failToBecomeReady = reject;
    });
    this.ready.catch(() => undefined);
    const workerData: ReaderSettings = { ...settings, wake: this.#wakeRead };
    // V8 lets a heap of this size double before it collects. What lives here lives long (inodes) or for one request: collecting sooner costs little and
    // keeps the daemon small.
    setFlagsFromString('--heap-growing-percent=20');
    const resourceLimits = { maxYoungGenerationSizeMb: 12 };
    this.#worker = new Worker(new URL('./reader-thread.js', import.meta.url), { workerData, resourceLimits });
    this.#worker.on('message', (message: FromReader) => {
      this.#hear(message);
    });
    this.#worker.on('error', (error) => {
      this.#failToBecomeReady(error);
      services.onError(
        '/',
        'reader thread',
        new ButlerfsError('internal', { what: 'the thread that talks to the kernel', why: error.message, cause: error }),
      );
    });
    this.ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#end();
        resolve();
      });
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Gives the thread the descriptor of /dev/fuse; from then on it belongs to this object, which closes it. */
  serve(device: number): void {
    this.#device = device;
    this.#worker.postMessage({ kind: 'serve', device } satisfies ToReader);
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
      this.#tell({ kind: 'statistics', token });
    });
  }

  /** Resolves when the thread serves the new catalogue and the kernel was told what changed. */
  replaceCatalogue(file: string): Promise<void> {
    return new Promise((resolve) => {
      this.#updated = resolve;
      this.#tell({ kind: 'catalogue', file });
      void this.ended.then(resolve);
    });
  }

  /** After a lazy unmount: fails what still waits for a remote, so that nothing keeps the connection. */
  drain(): void {
    for (const controller of this.#questions.values()) controller.abort();
  }

  async close(): Promise<void> {
    if (this.#hasEnded) return;
    this.drain();
    this.#tell({ kind: 'stop' });
    await this.ended;
  }

  #tell(message: ToReader): void {
    if (this.#hasEnded) return;
    this.#worker.postMessage(message);
    // A full pipe has woken the thread already.
    write(this.#wakeWrite, WAKE, () => undefined);
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
          this.#tell({ kind: 'settled', token, value });
        },
        (error: unknown) => {
          this.#tell({ kind: 'failed', token, error: serializeError(error) });
        },
      )
      .finally(() => {
        this.#questions.delete(token);
      });
  }

  /**
   * Notifications are written here, never on the reader thread: the kernel takes locks for them that a request under way may hold, and that request must
   * be answered meanwhile. A name or inode that the kernel has forgotten by now is answered with ENOENT: nothing to do.
   */
  async #invalidate(frames: readonly Uint8Array[]): Promise<void> {
    for (const frame of frames) {
      if (this.#device === undefined || this.#hasEnded) break;
      await writeAsync(this.#device, frame).catch(() => undefined);
    }
    this.#updated?.();
    this.#updated = undefined;
  }

  #end(): void {
    this.#hasEnded = true;
    this.#failToBecomeReady(
      new ButlerfsError('internal', { what: 'the thread that talks to the kernel', why: 'it ended before it was ready' }),
    );
    for (const controller of this.#questions.values()) controller.abort();
    closeSync(this.#wakeRead);
    closeSync(this.#wakeWrite);
    if (this.#device !== undefined) closeSync(this.#device);
    this.#device = undefined;
  }
}
