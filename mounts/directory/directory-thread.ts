/** The thread that serves a plain directory: it does the quick system calls itself and hands what may take long to the main thread. */

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { serializeError, systemCallError } from '../../common/errors.js';
import { BackingDirectory } from '../../fs/directory/backing-directory.js';
import { KernelSession } from '../../fs/kernel/session.js';
import type { KernelThreadData } from '../kernel-thread.js';
import { Questions } from '../questions.js';
import type { DirectoryThreadSettings, FromDirectoryThread, ToDirectoryThread } from './messages.js';

const { options, wake, woken } = workerData as DirectoryThreadSettings & KernelThreadData;
const port = parentPort!;

function say(message: FromDirectoryThread): void {
  port.postMessage(message);
}

class DirectoryThread {
  // An errand that nobody waits for any more goes on to its end.
  readonly #questions = new Questions(() => undefined);
  readonly #directory = new BackingDirectory({
    root: options.backing,
    exclusive: options.exclusive,
    ownsThread: true,
    locks: options.locks ?? 'kernel',
    errands: {
      run: (errand) =>
        this.#questions.ask((token) => {
          say({ kind: 'errand', token, errand });
        }),
    },
  });
  #session: KernelSession | undefined;

  serve(device: number): void {
    this.#session = new KernelSession({
      device,
      wake,
      fileSystem: this.#directory,
      passthrough: options.passthrough ?? true,
      ...(options.deadline === undefined ? {} : { deadline: options.deadline }),
      onWake: () => this.#hear(),
      onError: (error, operation) => {
        say({ kind: 'error', operation, error: serializeError(error) });
      },
    });
    this.#session.run();
    this.#directory.close();
  }

  /** Takes in what the main thread said; false when it said stop. */
  #hear(): boolean {
    Atomics.store(woken, 0, 0);
    for (;;) {
      const received = receiveMessageOnPort(port) as { readonly message: ToDirectoryThread } | undefined;
      if (received === undefined) return true;
      const { message } = received;
      switch (message.kind) {
        case 'done':
          this.#questions.settle(message.token, { value: message.value });
          break;
        case 'failed':
          this.#questions.settle(message.token, { error: systemCallError(message.errno) });
          break;
        case 'statistics':
          this.#sayStatistics(message.token);
          break;
        case 'serve':
          break;
        case 'stop':
          return false;
      }
    }
  }

  #sayStatistics(token: number): void {
    const session = this.#session!;
    const { protocol, passthrough, openHandles, waiting } = session;
    const statistics = { protocol, passthrough, requests: session.counts(), open: openHandles, waiting, ...this.#directory.held };
    say({ kind: 'statistics', token, statistics });
  }
}

/** Until the device is there, messages are taken in the ordinary way; from then on this thread belongs to the kernel. */
function start(): void {
  let thread: DirectoryThread;
  try {
    thread = new DirectoryThread();
  } catch (error) {
    say({ kind: 'unusable', error: serializeError(error) });
    return;
  }
  port.on('message', (message: ToDirectoryThread) => {
    if (message.kind === 'stop') port.close();
    if (message.kind !== 'serve') return;
    thread.serve(message.device);
    port.close();
  });
  say({ kind: 'ready' });
}

start();
