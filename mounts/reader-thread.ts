/**
 * The thread that talks to the kernel. It owns the tree and all inodes, answers from the catalogue and the cache, and asks the main thread for everything
 * that must come from a remote. Nothing here waits for anything but the kernel.
 */

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { PartialContent } from '../cache/contract.js';
import { deserializeError, serializeError } from '../common/errors.js';
import type { Invalidation } from '../fs/contract.js';
import { notificationFrame } from '../fs/kernel/notifications.js';
import { duplicate } from '../fs/kernel/native.js';
import { KernelSession } from '../fs/kernel/session.js';
import { readPresent } from '../fs/present-read.js';
import type { FromReader, ReaderSettings, ToReader } from './bridge.js';
import { Questions } from './questions.js';
import { ServedTree } from './served-tree.js';
import type { CatalogueFiles } from './tree-host.js';

const settings = workerData as ReaderSettings;
const port = parentPort!;

function say(message: FromReader): void {
  port.postMessage(message);
}

function isPartial(value: unknown): value is PartialContent {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'partial';
}

class ReaderThread {
  readonly #questions = new Questions(
    (token) => {
      say({ kind: 'abort', token });
    },
    (outcome) => {
      if ('value' in outcome && isPartial(outcome.value)) say({ kind: 'close', id: outcome.value.id });
    },
  );
  readonly #served = new ServedTree(settings, {
    open: (request) => {
      // Files that nothing reads any more make room in the cache for the one that comes.
      this.#session?.dropIdleFiles();
      return this.#questions.ask((token) => {
        say({ kind: 'open', token, request });
      });
    },
    readPartial: (id, offset, length) =>
      this.#questions.ask((token) => {
        say({ kind: 'read', token, id, offset, length });
      }),
    advance: (id, chunk) => {
      say({ kind: 'advance', id, chunk });
    },
    closePartial: (id) => {
      say({ kind: 'close', id });
    },
    expect: (requests) => {
      say({ kind: 'expect', requests });
    },
    size: (request) =>
      this.#questions.ask((token) => {
        say({ kind: 'size', token, request });
      }),
    need: (need) =>
      this.#questions.ask((token) => {
        say({ kind: 'need', token, need });
      }),
    status: () =>
      this.#questions.ask((token) => {
        say({ kind: 'status', token });
      }),
    read: (fd, into, at, size, offset) => {
      const present = readPresent(fd, into, at, size, offset);
      if (present >= 0) return present;
      return this.#questions.ask((token) => {
        say({ kind: 'load', token, fd: duplicate(fd), offset, length: size });
      });
    },
  });
  #session: KernelSession | undefined;

  constructor() {
    say({ kind: 'ready', ...this.#served.ready });
  }

  serve(device: number): void {
    const session = new KernelSession({
      device,
      wake: settings.wake,
      fileSystem: this.#served.tree,
      onWake: () => this.#hear(),
      onError: (error, operation, node) => {
        say({ kind: 'error', path: this.#served.tree.pathOf(node), operation, error: serializeError(error) });
      },
    });
    this.#session = session;
    session.run();
    this.#served.close();
  }

  /** Takes in what the main thread said; false when it said stop. */
  #hear(): boolean {
    Atomics.store(settings.woken, 0, 0);
    for (;;) {
      const received = receiveMessageOnPort(port) as { readonly message: ToReader } | undefined;
      if (received === undefined) return true;
      const { message } = received;
      switch (message.kind) {
        case 'settled':
          this.#questions.settle(message.token, { value: message.value });
          break;
        case 'failed':
          this.#questions.settle(message.token, { error: deserializeError(message.error) });
          break;
        case 'broken':
          this.#invalidate(this.#served.tree.brokenContent(message.id));
          break;
        case 'damaged':
          this.#session?.dropIdleFiles();
          this.#invalidate(this.#served.tree.damagedContent(new Set(message.digests)));
          break;
        case 'catalogue':
          this.#replaceCatalogue(message.files);
          break;
        case 'expire':
          this.#invalidate(this.#served.tree.expireUnread());
          break;
        case 'statistics':
          say({ kind: 'statistics', token: message.token, statistics: this.#statistics() });
          break;
        case 'serve':
          break;
        case 'stop':
          return false;
      }
    }
  }

  #invalidate(invalidations: readonly Invalidation[], isUpdate = false): void {
    say({ kind: 'invalidate', frames: invalidations.map((invalidation) => notificationFrame(invalidation)), isUpdate });
  }

  #replaceCatalogue(files: CatalogueFiles): void {
    try {
      this.#invalidate(this.#served.replaceCatalogue(files), true);
    } catch (error) {
      this.#invalidate([], true);
      say({ kind: 'error', path: '/', operation: 'update', error: serializeError(error) });
    }
  }

  #statistics() {
    const session = this.#session!;
    return {
      protocol: session.protocol,
      passthrough: session.passthrough,
      requests: session.counts(),
      cacheHits: this.#served.hits,
      nodes: this.#served.tree.size,
      open: session.openHandles,
      waiting: session.waiting,
    };
  }
}

/** Until the device is there, messages are taken in the ordinary way; from then on this thread belongs to the kernel. */
function start(): void {
  let thread: ReaderThread;
  try {
    thread = new ReaderThread();
  } catch (error) {
    say({ kind: 'unusable', error: serializeError(error) });
    return;
  }
  port.on('message', (message: ToReader) => {
    if (message.kind === 'stop') port.close();
    if (message.kind !== 'serve') return;
    thread.serve(message.device);
    say({ kind: 'ended' });
    port.close();
  });
}

start();
