/** Several threads that hash files, each one file at a time. */

import { Worker } from 'node:worker_threads';
import { interrupted } from '../../common/deadline.js';
import { ButlerfsError, deserializeError } from '../../common/errors.js';
import { programFile } from '../../common/program-file.js';
import type { SerializedError } from '../../common/errors.js';
import type { WholeAlgorithm } from './digests-format.js';
import type { HashedFile } from './hash-file.js';

export interface HashTask {
  readonly path: string;
  readonly algorithm: WholeAlgorithm;
}

/** From a thread. */
export type HashAnswer = { readonly hashed: HashedFile } | { readonly error: SerializedError };

export class HashingThreads {
  readonly #jobs: number;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: (() => void)[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  /** At most `jobs` threads, started as they are needed. The caller closes them. */
  constructor(jobs: number) {
    this.#jobs = jobs;
  }

  /**
   * Resolves when a thread has taken the file, so that a caller that goes through many has no more of them in hand than there are threads; `settle` is called
   * with what came of it. What `settle` throws, {@link finish} throws.
   */
  async start(task: HashTask, settle: (answer: HashedFile | ButlerfsError) => void): Promise<void> {
    while (this.#underWay.size >= this.#jobs) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const work: Promise<void> = this.#hash(task)
      .then(settle)
      .finally(() => {
        this.#underWay.delete(work);
        this.#waiting.shift()?.();
      });
    // Heard by finish(), which may be called later than it fails.
    work.catch((error: unknown) => (this.#failure ??= { error }));
    this.#underWay.add(work);
  }

  /** Resolves when everything that was started is settled. */
  async finish(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  async #hash(task: HashTask): Promise<HashedFile | ButlerfsError> {
    const worker = this.#idle.pop() ?? this.#startWorker();
    const answer = await new Promise<HashAnswer>((resolve, reject) => {
      const failed = (cause: Error): void =>
        reject(new ButlerfsError('internal', { what: `hashing ${task.path}`, why: cause.message, cause }));
      const ended = (): void => reject(interrupted(`hashing ${task.path}`));
      worker.once('message', (message: HashAnswer) => {
        worker.off('error', failed).off('exit', ended);
        resolve(message);
      });
      worker.once('error', failed).once('exit', ended);
      worker.postMessage(task);
    });
    this.#idle.push(worker);
    return 'error' in answer ? deserializeError(answer.error) : answer.hashed;
  }

  #startWorker(): Worker {
    const worker = new Worker(programFile('mounts/publication/hash-worker.js'));
    this.#all.add(worker);
    return worker;
  }
}
