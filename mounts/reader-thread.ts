/**
 * The thread that talks to the kernel. It owns the tree and all inodes, answers from the catalogue and the cache, and asks the main thread for everything
 * that must come from a remote. Nothing here waits for anything but the kernel.
 */

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openReader } from '../cache/reader.js';
import type { ObjectReader, ObjectRequest } from '../cache/contract.js';
import { ButlerfsError, deserializeError, serializeError } from '../common/errors.js';
import type { ContentSource } from '../fs/content.js';
import { notificationFrame } from '../fs/kernel/notifications.js';
import { KernelSession } from '../fs/kernel/session.js';
import { Tree } from '../fs/tree/tree.js';
import { openView } from '../fs/tree/view.js';
import type { Catalogue } from '../registry/contract.js';
import { openCatalogue } from '../registry/sqlite/open.js';
import type { FromReader, ReaderSettings, ToReader } from './bridge.js';
import { originOf } from './origins.js';
import { Questions } from './questions.js';

const settings = workerData as ReaderSettings;
const port = parentPort!;

function say(message: FromReader): void {
  port.postMessage(message);
}

function requireCatalogue(file: string): Catalogue {
  const catalogue = openCatalogue(file);
  if (catalogue !== undefined) return catalogue;
  throw new ButlerfsError('cache-failed', {
    what: `catalogue '${file}'`,
    why: 'it cannot be read',
    advice: 'remove it and mount again: it will be read anew',
  });
}

class ReaderThread {
  readonly #questions = new Questions((token) => {
    say({ kind: 'abort', token });
  });
  readonly #reader: ObjectReader = openReader({ directory: settings.cacheDirectory, verify: settings.verify });
  readonly #tree: Tree;
  #catalogue: Catalogue;
  #session: KernelSession | undefined;
  #hits = 0;

  constructor() {
    this.#catalogue = requireCatalogue(settings.catalogueFile);
    const view = { collections: settings.collections, order: [] };
    const defaults = new Map(Object.entries(settings.defaults));
    this.#tree = new Tree({
      catalogue: this.#catalogue,
      content: this.#content(),
      view,
      defaults,
      aliases: settings.aliases,
      owner: settings.owner,
    });
    const { searchPath, defaults: inferred } = openView(this.#catalogue, view, defaults);
    say({ kind: 'ready', searchPath: searchPath.collections.map(({ name }) => name), defaults: Object.fromEntries(inferred) });
  }

  serve(device: number): void {
    const session = new KernelSession({
      device,
      wake: settings.wake,
      fileSystem: this.#tree,
      onWake: () => this.#hear(),
      onError: (error, operation, node) => {
        say({ kind: 'error', path: this.#tree.pathOf(node), operation, error: serializeError(error) });
      },
    });
    this.#session = session;
    session.run();
    this.#catalogue.close();
  }

  /** Takes in what the main thread said; false when it said stop. */
  #hear(): boolean {
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
        case 'catalogue':
          this.#replaceCatalogue(message.file);
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

  #replaceCatalogue(file: string): void {
    try {
      const former = this.#catalogue;
      const next = requireCatalogue(file);
      const frames = this.#tree.replaceCatalogue(next).map((invalidation) => notificationFrame(invalidation));
      this.#catalogue = next;
      former.close();
      say({ kind: 'invalidate', frames });
    } catch (error) {
      say({ kind: 'error', path: '/', operation: 'update', error: serializeError(error) });
    }
  }

  #statistics() {
    const session = this.#session!;
    return {
      protocol: session.protocol,
      passthrough: session.passthrough,
      requests: session.counts(),
      cacheHits: this.#hits,
      nodes: this.#tree.size,
      open: session.openHandles,
      waiting: session.waiting,
    };
  }

  #content(): ContentSource {
    return {
      reader: this.#reader,
      onHit: () => {
        this.#hits++;
      },
      request: ({ location, member, size, checksum }, identity): ObjectRequest => ({
        origin: originOf(settings.repositoryUrl, location),
        identity,
        ...(member === null ? {} : { member }),
        ...(size === null ? {} : { size }),
        ...(checksum === null ? {} : { digest: { algorithm: 'blake2b512', hex: checksum } }),
      }),
      fetch: (request) => {
        // Files that nothing reads any more make room in the cache for the one that comes.
        this.#session?.dropIdleFiles();
        return this.#questions.ask((token) => {
          say({ kind: 'fetch', token, request });
        });
      },
      size: (request) =>
        this.#questions.ask((token) => {
          say({ kind: 'size', token, request });
        }),
      status: () =>
        this.#questions.ask((token) => {
          say({ kind: 'status', token });
        }),
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
