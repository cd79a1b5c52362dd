/** The tree of one dataset type in one view; shared by all its directories. */

import { ButlerfsError } from '../../common/errors.js';
import type { Constraint, DataNeed, DatasetType } from '../../registry/contract.js';
import type { TreeContext } from './context.js';
import { DatasetFile, type FileBox, fileKey, type KnownFiles, partOf } from './dataset-file.js';
import type { NamedFile } from './file-names.js';
import type { DirectoryNode } from './node.js';
import { EVERYTHING } from './unread.js';
import type { View, ViewRequest } from './view.js';

export class TypeTree {
  readonly context: TreeContext;
  readonly typeName: string;
  /** Set in the tree of one component (`composite.data`). */
  readonly component: string | null;
  readonly request: ViewRequest;
  #generation = -1;
  #view: View | undefined;
  #type: DatasetType | undefined;
  #files: KnownFiles | undefined;

  constructor(context: TreeContext, request: ViewRequest, typeName: string, component: string | null) {
    this.context = context;
    this.request = request;
    this.typeName = typeName;
    this.component = component;
  }

  /** The view in the present catalogue. Throws `unknown-collection` where an update took its collection away. */
  get view(): View {
    this.#renew();
    return this.#view!;
  }

  /** The dataset type in the present catalogue. Throws `unknown-dataset-type` where an update took it away. */
  get type(): DatasetType {
    this.#renew();
    return this.#type!;
  }

  /** What must be read before the catalogue can tell which data IDs with these values there are; undefined where it can. */
  needOf(constraint: Constraint): DataNeed | undefined {
    const { unread } = this.context;
    if (unread === undefined) return undefined;
    const { view, type } = this;
    if (view.where !== undefined) return EVERYTHING;
    const collections = view.of(type).searchPath.collections.map(({ name }) => name);
    if (!unread.mayHold(type.name, collections)) return undefined;
    const need: DataNeed = { kind: 'data', type: type.name, dataId: Object.fromEntries(constraint), collections };
    return unread.isRead(need) ? undefined : need;
  }

  /** The files of the view that the kernel knows. */
  get files(): KnownFiles {
    this.#renew();
    return this.#files!;
  }

  /** The node of a file, or of a box cut out of it; `parent` is where it is made if the kernel does not know it. */
  fileNode({ name, row, file, hdu }: NamedFile, parent: DirectoryNode, box?: FileBox): DatasetFile {
    const part = partOf(hdu, box);
    const known = this.files.get(fileKey(row.uuid, file.component, part));
    return known ?? new DatasetFile(parent, name, this.files, this.context, row, file, part);
  }

  #renew(): void {
    if (this.#generation === this.context.generation) return;
    const type = this.context.catalogue.datasetType(this.typeName);
    if (type === undefined) {
      throw new ButlerfsError('unknown-dataset-type', { what: `dataset type '${this.typeName}'`, why: 'the repository no longer has it' });
    }
    this.#view = this.context.view(this.request);
    this.#type = type;
    this.#files = this.context.files(this.#view.hash);
    this.#generation = this.context.generation;
  }
}

/** Whether there may be data of a type that were not read yet. */
export function mayHoldMore(context: TreeContext, request: ViewRequest, type: string): boolean {
  return new TypeTree(context, request, type, null).needOf(new Map()) !== undefined;
}
