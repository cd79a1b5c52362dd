/** The main thread's side of a thread that talks to the kernel: starts it, wakes it, hands it the device, writes notifications, sees it end. */

import { closeSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { programFile } from '../common/program-file.js';
import { wakePipe } from '../fs/kernel/native.js';

const writeAsync = promisify(write);
const WAKE = Buffer.from([1]);

/** What such a thread is started with, beside its own settings. */
export interface KernelThreadData {
  /** Read end of the pipe that wakes the thread. */
  readonly wake: number;
  /** Its one number is 1 from the time that the thread is woken until it takes its messages, which sets it to 0 first: waking costs more than saying something. */
  readonly woken: Int32Array<SharedArrayBuffer>;
}

export interface KernelThreadOptions<FromThread> {
  /** The thread's module, as {@link programFile} takes it. */
  readonly module: string;
  readonly settings: object;
  readonly onMessage: (message: FromThread) => void;
  /** The thread failed; it ends. */
  readonly onError: (error: Error) => void;
}

/** `ToThread`, `FromThread`: what is said each way. A thread that serves does not return to its event loop: every message comes with a wake-up. */
export class KernelThread<ToThread, FromThread> {
  /** Resolves when the thread has ended and everything is closed. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #wakeRead: number;
  readonly #wakeWrite: number;
  readonly #woken = new Int32Array(new SharedArrayBuffer(4));
  #device: number | undefined;
  #hasEnded = false;

  constructor({ module, settings, onMessage, onError }: KernelThreadOptions<FromThread>) {
    [this.#wakeRead, this.#wakeWrite] = wakePipe();
    const workerData: KernelThreadData = { ...settings, wake: this.#wakeRead, woken: this.#woken };
    // V8 lets a heap of this size double before it collects. What lives here lives long (inodes) or for one request: collecting sooner costs little and
    // keeps the daemon small.
    setFlagsFromString('--heap-growing-percent=20');
    const resourceLimits = { maxYoungGenerationSizeMb: 12 };
    this.#worker = new Worker(programFile(module), { workerData, resourceLimits });
    this.#worker.on('message', onMessage);
    this.#worker.on('error', onError);
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

  /** The descriptor of /dev/fuse, which the caller tells the thread of: from now on it belongs to this object, which closes it. */
  own(device: number): void {
    this.#device = device;
  }

  tell(message: ToThread): void {
    if (this.#hasEnded) return;
    this.#worker.postMessage(message);
    if (Atomics.exchange(this.#woken, 0, 1) === 0) this.#wake();
  }

  /**
   * Notifications are written here, never on the thread that answers: the kernel takes locks for them that a request under way may hold, and that request
   * must be answered meanwhile. A name or inode that the kernel has forgotten by now is answered with ENOENT: nothing to do.
   */
  async notify(frames: readonly Uint8Array[]): Promise<void> {
    for (const frame of frames) {
      if (this.#device === undefined || this.#hasEnded) break;
      await writeAsync(this.#device, frame).catch(() => undefined);
    }
  }

  /** Without a detour over the pool of threads, each of which would have to be woken itself. */
  #wake(): void {
    try {
      writeSync(this.#wakeWrite, WAKE);
    } catch {
      // A full pipe has woken the thread already.
    }
  }

  #end(): void {
    this.#hasEnded = true;
    closeSync(this.#wakeRead);
    closeSync(this.#wakeWrite);
    if (this.#device !== undefined) closeSync(this.#device);
    this.#device = undefined;
  }
}
