/** The main thread's side of the reader thread: starts it, answers its questions, hands it news, ends it. */

import { ButlerfsError, deserializeError, serializeError } from '../common/errors.js';
import { detachIfMounted } from '../fs/detach.js';
import { attach, detach } from '../fs/kernel/mount.js';
import { runErrand } from '../fs/run-errand.js';
import type { FromReader, ToReader } from './bridge.js';
import type { KernelStatistics } from './contract.js';
import { KernelThread } from './kernel-thread.js';
import type { AttachSettings, CatalogueFiles, TreeHost, TreeServices, TreeSettings, ViewReady } from './tree-host.js';

/** Milliseconds for the reader thread to say its numbers. */
const STATISTICS_DEADLINE = 5_000;

export class ReaderHost implements TreeHost {
  readonly transport = 'kernel';
  readonly ready: Promise<ViewReady>;
  readonly ended: Promise<void>;
  readonly #thread: KernelThread<ToReader, FromReader>;
  readonly #services: TreeServices;
  readonly #questions = new Map<number, AbortController>();
  readonly #statistics = new Map<number, (statistics: KernelStatistics) => void>();
  /** Of catalogues that the reader thread was told of, the first first. */
  readonly #updated: (() => void)[] = [];
  #notifying: Promise<void> = Promise.resolve();
  #becomeReady!: (ready: ViewReady) => void;
  #failToBecomeReady!: (error: unknown) => void;
  #nextToken = 1;
  #mountPoint: string | undefined;

  constructor(settings: TreeSettings, services: TreeServices) {
    this.#services = services;
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failToBecomeReady = reject;
    });
    this.ready.catch(() => undefined);
    this.#thread = new KernelThread({
      module: 'mounts/reader-thread.js',
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

  async attach({ mountPoint, name, allowOther }: AttachSettings): Promise<void> {
    await this.ready;
    const device = await attach({ mountPoint, name, allowOther, readOnly: true });
    this.#mountPoint = mountPoint;
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

  replaceCatalogue(files: CatalogueFiles): Promise<void> {
    return new Promise((resolve) => {
      this.#updated.push(resolve);
      this.#thread.tell({ kind: 'catalogue', files });
      void this.ended.then(resolve);
    });
  }

  expireUnread(): void {
    if (!this.hasEnded) this.#thread.tell({ kind: 'expire' });
  }

  brokenContent(id: number): void {
    if (!this.hasEnded) this.#thread.tell({ kind: 'broken', id });
  }

  damagedContent(digests: readonly string[]): void {
    if (!this.hasEnded) this.#thread.tell({ kind: 'damaged', digests });
  }

  async detach(): Promise<void> {
    if (this.#mountPoint === undefined || this.hasEnded) return;
    await detachIfMounted(this.#mountPoint, detach, { lazy: true });
    this.#drain();
  }

  async close(): Promise<void> {
    if (this.hasEnded) return;
    this.#drain();
    this.#thread.tell({ kind: 'stop' });
    await this.ended;
  }

  #drain(): void {
    for (const controller of this.#questions.values()) controller.abort();
  }

  #hear(message: FromReader): void {
    switch (message.kind) {
      case 'ready':
        this.#becomeReady(message);
        break;
      case 'unusable':
        this.#failToBecomeReady(deserializeError(message.error));
        break;
      case 'open':
        this.#answer(message.token, (signal) => this.#services.open(message.request, signal));
        break;
      case 'read':
        this.#answer(message.token, (signal) => this.#services.readPartial(message.id, message.offset, message.length, signal));
        break;
      case 'advance':
        this.#services.advance(message.id, message.chunk);
        break;
      case 'close':
        this.#services.closePartial(message.id);
        break;
      case 'expect':
        this.#services.expect(message.requests);
        break;
      case 'size':
        this.#answer(message.token, async (signal) => ({ size: await this.#services.size(message.request, signal) }));
        break;
      case 'need':
        this.#answer(message.token, (signal) => this.#services.read(message.need, signal));
        break;
      case 'status':
        this.#answer(message.token, async () => ({ text: await this.#services.status() }));
        break;
      case 'load':
        this.#answer(message.token, () => runErrand({ call: 'load', fd: message.fd, offset: message.offset, length: message.length }));
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
        this.#invalidate(message.frames, message.isUpdate === true);
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

  /** One after the other: the kernel may make each wait for a request that itself waits for a remote. */
  #invalidate(frames: readonly Uint8Array[], isUpdate: boolean): void {
    this.#notifying = this.#notifying.then(async () => {
      await this.#thread.notify(frames);
      if (isUpdate) this.#updated.shift()?.();
    });
  }

  #end(): void {
    this.#failToBecomeReady(
      new ButlerfsError('internal', { what: 'the thread that talks to the kernel', why: 'it ended before it was ready' }),
    );
    this.#drain();
  }
}
