/** What the nodes of one tree share. */

import type { Catalogue, Constraint, DatasetRow, RepositoryNames } from '../../registry/contract.js';
import type { ContentSource } from '../content.js';
import type { UnreadContent } from '../unread.js';
import { FollowingFiles } from './following.js';
import type { DatasetFile, KnownFiles } from './dataset-file.js';
import { openView, rangeTexts, type View, type ViewRequest } from './view.js';

/** Rows of a directory and of all below it. Directories refer to it by range; it is emptied when too many rows are held. */
export interface RowBlock {
  rows: readonly DatasetRow[] | undefined;
}

/** Datasets up to which one question answers a directory with everything below it. */
export const ROW_LIMIT = 2000;
/** Rows held at most, but for the latest answer. A row takes about 600 bytes. */
const ROW_BUDGET = 6_000;

export class TreeContext {
  readonly content: ContentSource;
  /** The user's aliases and flavours, before those of the repository. */
  readonly names: RepositoryNames;
  /** Which files will probably be opened next. */
  readonly following: FollowingFiles;
  /** Values of keys that the mount was given, before those that follow from the search path. */
  readonly mountDefaults: Constraint;
  readonly #files = new Map<number, KnownFiles>();
  readonly #views = new Map<string, View>();
  readonly #blocks = new Set<RowBlock>();
  #rowsHeld = 0;
  #catalogue: Catalogue;
  #unread: UnreadContent | undefined;
  #generation = 0;

  constructor(
    catalogue: Catalogue,
    content: ContentSource,
    mountDefaults: Constraint,
    names: RepositoryNames,
    unread: UnreadContent | undefined,
  ) {
    this.#catalogue = catalogue;
    this.#unread = unread;
    this.content = content;
    this.following = new FollowingFiles(content);
    this.names = names;
    this.mountDefaults = mountDefaults;
  }

  get catalogue(): Catalogue {
    return this.#catalogue;
  }

  /** Grows with every catalogue taken up. */
  get generation(): number {
    return this.#generation;
  }

  /** Set where the catalogue lacks what was not read of the repository yet. */
  get unread(): UnreadContent | undefined {
    return this.#unread;
  }

  /** Takes up another catalogue: views and held rows of the former are dropped. */
  replaceCatalogue(catalogue: Catalogue, unread: UnreadContent | undefined): void {
    this.#catalogue = catalogue;
    this.#unread = unread;
    this.#generation++;
    this.following.clear();
    this.#views.clear();
    for (const block of this.#blocks) block.rows = undefined;
    this.#blocks.clear();
    this.#rowsHeld = 0;
  }

  /** The view that was asked for, resolved in the present catalogue. Throws `unknown-collection`. */
  view(request: ViewRequest): View {
    const key = JSON.stringify([request.collections, request.order, request.where, request.calibrations, ...rangeTexts(request.ingested)]);
    let view = this.#views.get(key);
    if (view === undefined) {
      view = openView(this.#catalogue, request, this.mountDefaults, this.#unread !== undefined);
      this.#views.set(key, view);
    }
    return view;
  }

  /** The defaults of every view that was asked for, as text: to tell whether another catalogue brings others. */
  viewDefaults(): ReadonlyMap<ViewRequest, string> {
    return new Map([...this.#views.values()].map((view) => [{ collections: view.collections, order: view.order }, defaultsText(view)]));
  }

  /** The files of a view, by its hash. */
  files(viewHash: number): KnownFiles {
    let files = this.#files.get(viewHash);
    if (files === undefined) this.#files.set(viewHash, (files = new Map<string, DatasetFile>()));
    return files;
  }

  /** Holds rows until the budget is needed for newer ones. */
  hold(rows: readonly DatasetRow[]): RowBlock {
    const block: RowBlock = { rows };
    this.#rowsHeld += rows.length;
    for (const oldest of this.#blocks) {
      if (this.#rowsHeld <= ROW_BUDGET) break;
      this.#rowsHeld -= oldest.rows?.length ?? 0;
      oldest.rows = undefined;
      this.#blocks.delete(oldest);
    }
    this.#blocks.add(block);
    return block;
  }
}

export function defaultsText({ defaults }: View): string {
  return JSON.stringify([...defaults]);
}
