/** A file of a dataset. One node for all paths of one view that lead to it. */

import type { FilePart, ObjectRequest } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { DatasetRecord, DatasetRow, StoredFile } from '../../registry/contract.js';
import { ContentFile } from './content-file.js';
import type { TreeContext } from './context.js';
import { combine, hashText, inodeNumber } from './identity.js';
import type { DirectoryNode } from './node.js';
import { ATTRIBUTE_NAMES, extendedAttribute } from './extended-attributes.js';

export type FileBox = Extract<FilePart, { kind: 'cutout' }>['box'];

/** What is wanted of a stored file: the HDU of that name, a box cut out of it, a box of its only image; undefined for the whole. */
export function partOf(hdu: string | undefined, box: FileBox | undefined): FilePart | undefined {
  if (box !== undefined) return { kind: 'cutout', name: hdu ?? null, box };
  return hdu === undefined ? undefined : { kind: 'hdu', name: hdu };
}

/** Key of a file among those of one view. */
export function fileKey(uuid: string, component: string | null, part?: FilePart): string {
  const stored = component === null ? uuid : `${uuid}.${component}`;
  return part === undefined ? stored : `${stored}#${JSON.stringify(part)}`;
}

/** The files of one view that the kernel knows: the same inode on every path. */
export type KnownFiles = Map<string, DatasetFile>;

export class DatasetFile extends ContentFile {
  /** Where it is listed while the kernel knows it. */
  readonly siblings: KnownFiles;
  readonly uuid: string;
  /** Of the stored file that it is, or is a part of. */
  readonly component: string | null;
  readonly part: FilePart | undefined;
  /** Name of the collection that it was found in. */
  readonly collection: string;
  readonly modified: number;

  constructor(
    parent: DirectoryNode,
    name: string,
    siblings: KnownFiles,
    context: TreeContext,
    row: DatasetRow,
    file: StoredFile,
    part?: FilePart,
  ) {
    super(parent, name, context, part === undefined ? file.size : null);
    this.siblings = siblings;
    this.uuid = row.uuid;
    this.component = file.component;
    this.part = part;
    this.collection = row.collection.name;
    this.modified = row.ingested === null ? context.catalogue.info.readAt : taiToUnixMilliseconds(row.ingested);
  }

  get key(): string {
    return fileKey(this.uuid, this.component, this.part);
  }

  get ino(): number {
    const whole = combine(hashText(this.uuid), this.component === null ? 0 : hashText(this.component));
    return inodeNumber(this.part === undefined ? whole : combine(whole, hashText(JSON.stringify(this.part))));
  }

  override attributeNames(): readonly string[] {
    return ATTRIBUTE_NAMES;
  }

  override extendedAttribute(name: string): string | undefined {
    const record = this.#record();
    return extendedAttribute(name, {
      catalogue: this.context.catalogue,
      record,
      collection: this.collection,
      request: this.request(record),
      isCached: (request) => this.context.content.reader.isPresent(request),
      file: this.#storedFile(record),
    });
  }

  override request(record: DatasetRecord = this.#record()): ObjectRequest {
    const stored = this.context.content.request(this.#storedFile(record), fileKey(this.uuid, this.component));
    return this.part === undefined ? stored : partRequest(stored, this.part);
  }

  #record(): DatasetRecord {
    const record = this.context.catalogue.datasetByUuid(this.uuid);
    if (record !== undefined) return record;
    throw new ButlerfsError('unknown-path', { what: `dataset ${this.uuid}`, why: 'the repository no longer has it' });
  }

  #storedFile(record: DatasetRecord): StoredFile {
    const file = record.files.find(({ component }) => component === this.component);
    if (file !== undefined) return file;
    throw new ButlerfsError('unknown-path', {
      what: `component '${this.component}' of dataset ${this.uuid}`,
      why: 'the repository no longer has it',
    });
  }
}

/** The request for a part of the file that `stored` is for. */
export function partRequest({ digest, size, ...stored }: ObjectRequest, part: FilePart): ObjectRequest {
  return { ...stored, part, whole: { digest, size } };
}

/** TAI is ahead of UTC by 37 s since 2017; to a file's time a second more or less does not matter. */
function taiToUnixMilliseconds(nanoseconds: bigint): number {
  return Math.max(0, Number(nanoseconds / 1_000_000n) - 37_000);
}
