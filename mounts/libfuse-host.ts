/** Serves the tree of a repository through libfuse, on this process's main thread. */

import { asButlerfsError } from '../common/errors.js';
import { LibfuseMount } from '../fs/libfuse/mount.js';
import { readFully } from '../fs/read-fully.js';
import type { KernelStatistics } from './contract.js';
import { ServedTree } from './served-tree.js';
import type { AttachSettings, CatalogueFiles, TreeHost, TreeServices, TreeSettings, ViewReady } from './tree-host.js';
import { waitFor } from './waiting.js';

/** Seconds for which the kernel may go by what it was told, at most: it cannot be told that something changed. */
const LONGEST_MEMORY = 1;

export class LibfuseHost implements TreeHost {
  readonly transport = 'libfuse';
  readonly ready: Promise<ViewReady>;
  readonly ended: Promise<void>;
  readonly #services: TreeServices;
  /** Aborted when the mount goes: what waits for a remote fails. */
  readonly #draining = new AbortController();
  #served: ServedTree | undefined;
  #mount: LibfuseMount | undefined;
  #hasEnded = false;
  #end!: () => void;

  constructor(settings: TreeSettings, services: TreeServices) {
    this.#services = services;
    this.ended = new Promise((resolve) => {
      this.#end = () => {
        this.#hasEnded = true;
        this.#served?.close();
        resolve();
      };
    });
    this.ready = new Promise((resolve) => {
      this.#served = this.#open(settings);
      resolve(this.#served.ready);
    });
    this.ready.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async attach({ mountPoint, name, allowOther, pollInterval }: AttachSettings): Promise<void> {
    await this.ready;
    const seconds = pollInterval === 0 ? LONGEST_MEMORY : Math.min(LONGEST_MEMORY, pollInterval / 1000);
    this.#mount = await LibfuseMount.attach({
      fileSystem: this.#served!.tree,
      mountPoint,
      name,
      allowOther,
      readOnly: true,
      nameSeconds: seconds,
      absenceSeconds: seconds,
      attributeSeconds: seconds,
      onError: (error, operation, path) => {
        this.#services.onError(path, operation, asButlerfsError(error));
      },
    });
    void this.#mount.ended.then(this.#end);
  }

  statistics(): Promise<KernelStatistics> {
    const mount = this.#mount;
    return Promise.resolve({
      protocol: 'libfuse',
      passthrough: false,
      requests: mount?.counts() ?? {},
      cacheHits: this.#served?.hits ?? 0,
      nodes: this.#served?.tree.size ?? 0,
      open: mount?.open ?? 0,
      waiting: mount?.waiting ?? 0,
    });
  }

  replaceCatalogue(files: CatalogueFiles): Promise<void> {
    try {
      this.#served?.replaceCatalogue(files);
      this.#mount?.expireNames();
    } catch (error) {
      this.#services.onError('/', 'update', asButlerfsError(error));
    }
    return Promise.resolve();
  }

  /** The kernel goes by what it was told for a moment only. */
  expireUnread(): void {
    return;
  }

  /** Nothing can be told to the kernel through libfuse 2: pages of such a file go when it is opened again. */
  brokenContent(): void {
    return;
  }

  /** Likewise. */
  damagedContent(): void {
    return;
  }

  async detach(): Promise<void> {
    await this.#mount?.detach();
    this.#draining.abort();
  }

  async close(): Promise<void> {
    if (this.#hasEnded) return;
    if (this.#mount === undefined) this.#end();
    else await this.detach();
    await this.ended;
  }

  #open(settings: TreeSettings): ServedTree {
    const { open, readPartial, advance, closePartial, expect, size, read, status } = this.#services;
    const all = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, this.#draining.signal]);
    return new ServedTree(settings, {
      open: (request) =>
        waitFor(async (signal) => {
          const content = await open(request, all(signal));
          // Nobody is left to take it.
          if (signal.aborted && content.kind === 'partial') closePartial(content.id);
          return content;
        }),
      readPartial: (id, offset, length) => waitFor((signal) => readPartial(id, offset, length, all(signal))),
      advance,
      closePartial,
      expect,
      size: (request) => waitFor(async (signal) => ({ size: await size(request, all(signal)) })),
      need: (need) => waitFor((signal) => read(need, all(signal))),
      status: () => waitFor(async () => ({ text: await status() })),
      read: readFully,
    });
  }
}
