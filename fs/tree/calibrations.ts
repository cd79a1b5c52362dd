/**
 * `@calibs` below a data ID that has an exposure or a visit: the calibrations that are valid for it.
 *
 *     raw/exposure=1228/detector=13/@calibs/        calibration types that have one
 *       bias/bias_13.fits                           the dataset's files
 */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { Catalogue, Constraint, DataNeed, DatasetRow, DatasetType } from '../../registry/contract.js';
import type { TreeContext } from './context.js';
import { fileNames, type NamedFile, shortNames } from './file-names.js';
import { combine, hashText, inodeNumber } from './identity.js';
import { type DirectoryNode, type Listing, namedListing, noSuchName, type TreeNode } from './node.js';
import { OperatorDirectory } from './operator-directory.js';
import { TypeTree } from './type-tree.js';
import { NotReadYet } from './unread.js';
import type { View, ViewRequest } from './view.js';

/** The name of the operator. */
export const CALIBRATIONS = '@calibs';

/** Whether a data ID has a time at which calibrations are valid. */
export function hasCalibrations(constraint: Constraint): boolean {
  return constraint.has('exposure') || constraint.has('visit');
}

/**
 * The calibration of a type for a data ID. Throws `unknown-dataset-type` for what is no calibration type, `unknown-value` where none is valid or the data ID
 * does not say enough, and `ambiguous`.
 */
export function validCalibration(catalogue: Catalogue, view: View, dataId: Constraint, type: DatasetType): DatasetRow {
  const { searchPath, ingested } = view.of(type);
  return catalogue.calibration({ type, searchPath, ingested, dataId });
}

/** Throws `unknown-dataset-type`, with the nearest. */
export function calibrationType(catalogue: Catalogue, name: string): DatasetType {
  const type = catalogue.datasetType(name);
  if (type?.isCalibration === true) return type;
  const names = catalogue.datasetTypes().flatMap((one) => (one.isCalibration ? one.name : []));
  throw new ButlerfsError('unknown-dataset-type', {
    what: `calibration '${name}'`,
    why: type === undefined ? 'the repository has no such type' : 'datasets of this type are not calibrations',
    advice: didYouMean(nearestNames(name, names)) ?? `calibrations are ${names.join(', ') || 'not in this repository'}`,
  });
}

/** Calibration types of which one dataset is valid for the data ID. */
export function calibrationTypes(catalogue: Catalogue, view: View, dataId: Constraint): DatasetType[] {
  return catalogue.datasetTypes().filter((type) => {
    if (!type.isCalibration) return false;
    try {
      return validCalibration(catalogue, view, dataId, type).files.length > 0;
    } catch (error) {
      if (error instanceof ButlerfsError && (error.code === 'unknown-value' || error.code === 'ambiguous')) return false;
      throw error;
    }
  });
}

export class CalibrationsDirectory extends OperatorDirectory {
  readonly #request: ViewRequest;
  readonly #dataId: Constraint;

  constructor(context: TreeContext, request: ViewRequest, dataId: Constraint, parent: DirectoryNode, name: string) {
    super(context, parent, name);
    this.#request = request;
    this.#dataId = dataId;
  }

  get ino(): number {
    return inodeNumber(combine(this.parent!.ino, hashText(CALIBRATIONS)));
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const { catalogue } = this.context;
      const type = calibrationType(catalogue, name);
      const need = this.#needOf(type);
      if (need !== undefined) throw new NotReadYet(need);
      validCalibration(catalogue, this.context.view(this.#request), this.#dataId, type);
      return new CalibrationDirectory(new TypeTree(this.context, this.#request, type.name, null), this.#dataId, this, name);
    });
  }

  override needToList(): DataNeed | undefined {
    const types = this.context.unread === undefined ? [] : this.context.catalogue.datasetTypes();
    for (const type of types) {
      const need = type.isCalibration ? this.#needOf(type) : undefined;
      if (need !== undefined) return need;
    }
    return undefined;
  }

  #needOf(type: DatasetType): DataNeed | undefined {
    const given = type.dimensions.required.flatMap((name) => {
      const value = this.#dataId.get(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    return new TypeTree(this.context, this.#request, type.name, null).needOf(new Map(given));
  }

  listing(): Listing {
    const types = calibrationTypes(this.context.catalogue, this.context.view(this.#request), this.#dataId);
    return namedListing(
      types.map(({ name }) => name),
      true,
      (name) => this.find(name),
    );
  }
}

/** The files of the calibration that is valid. */
class CalibrationDirectory extends OperatorDirectory {
  readonly #tree: TypeTree;
  readonly #dataId: Constraint;

  constructor(tree: TypeTree, dataId: Constraint, parent: CalibrationsDirectory, name: string) {
    super(tree.context, parent, name);
    this.#tree = tree;
    this.#dataId = dataId;
  }

  get ino(): number {
    return inodeNumber(combine(this.parent!.ino, hashText(this.name)));
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const { view, type } = this.#tree;
      const named = this.#files().find((file) => file.name === name || shortNames(view, type, file).includes(name));
      if (named === undefined) throw noSuchName(this, name);
      return this.#tree.fileNode(named, this);
    });
  }

  listing(): Listing {
    const files = this.#files();
    return {
      count: files.length,
      at: (index) => ({ name: files[index]!.name, isDirectory: false, node: () => this.#tree.fileNode(files[index]!, this) }),
    };
  }

  #files(): NamedFile[] {
    const { view, type, context } = this.#tree;
    return fileNames(view, type, null, [validCalibration(context.catalogue, view, this.#dataId, type)]);
  }
}
