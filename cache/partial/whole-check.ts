/** The digest of a file that grows from its beginning, made while it grows, so that it is known as soon as the file is whole. */

import { Worker } from 'node:worker_threads';
import { interrupted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import { programFile } from '../../common/program-file.js';
import type { Digest, DigestAlgorithm } from '../contract.js';
import type { FromHashThread, ToHashThread } from './hash-thread.js';

interface Waiter {
  resolve(digest: { readonly hex: string; readonly bytes: number }): void;
  reject(error: Error): void;
}

/** The thread that hashes; it is started with the first check, and does not keep the process alive. */
export class HashThread {
  #worker: Worker | undefined;
  readonly #waiters = new Map<number, Waiter>();
  #next = 1;

  /** Begins with a file. `grown` and the others are for this file. */
  begin(path: string, algorithm: DigestAlgorithm): WholeCheck {
    const id = this.#next++;
    this.#tell({ kind: 'begin', id, path, algorithm });
    return {
      grown: (end) => this.#tell({ kind: 'grown', id, end }),
      drop: () => {
        this.#tell({ kind: 'drop', id });
        this.#waiters.get(id)?.reject(interrupted(`hashing ${path}`));
      },
      finish: async () => {
        const answer = new Promise<{ readonly hex: string; readonly bytes: number }>((resolve, reject) => {
          this.#waiters.set(id, { resolve, reject });
        });
        this.#tell({ kind: 'finish', id });
        try {
          const { hex, bytes } = await answer;
          return { digest: { algorithm, hex }, bytes };
        } finally {
          this.#waiters.delete(id);
        }
      },
    };
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#fail(interrupted('hashing', new Error('the cache was closed')));
    await worker?.terminate();
  }

  #tell(message: ToHashThread): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(message);
  }

  #start(): Worker {
    const worker = new Worker(programFile('cache/partial/hash-thread.js'));
    worker.unref();
    worker.on('message', (message: FromHashThread) => {
      const waiter = this.#waiters.get(message.id);
      if ('error' in message)
        waiter?.reject(new ButlerfsError('cache-failed', { what: 'hashing a file of the cache', why: message.error }));
      else waiter?.resolve(message);
    });
    worker.on('error', (cause) => {
      this.#worker = undefined;
      this.#fail(new ButlerfsError('internal', { what: 'the thread that hashes', why: cause.message, cause }));
    });
    return worker;
  }

  #fail(error: Error): void {
    for (const waiter of this.#waiters.values()) waiter.reject(error);
  }
}

export interface WholeCheck {
  /** The file is good up to `end` bytes. */
  grown(end: number): void;
  /** The digest of all that was good, and how many bytes that were. Once; ends the check. */
  finish(): Promise<{ readonly digest: Digest; readonly bytes: number }>;
  /** Ends the check without an answer. */
  drop(): void;
}
