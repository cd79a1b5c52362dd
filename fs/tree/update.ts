/** What the kernel must forget when one catalogue takes the place of another. */

import type { Catalogue } from '../../registry/contract.js';
import type { Invalidation, NodeId } from '../contract.js';
import type { UnreadContent } from '../unread.js';
import { defaultsText } from './context.js';
import type { TreeContext } from './context.js';
import { BoxDirectory } from './cutouts.js';
import { DataIdDirectory } from './data-id-directory.js';
import { DatasetFile } from './dataset-file.js';
import { CollectionsDirectory, TypesDirectory } from './directories.js';
import { type DirectoryNode, listingHash, type TreeNode } from './node.js';
import { RepositoryDirectory, RepositoryFile } from './repository-files.js';
import { everything, touchFilter } from './touch-filter.js';
import type { ViewRequest } from './view.js';

/**
 * Makes `next` the context's catalogue and compares what the kernel was told with what is so now. What was not touched is not looked at: where the catalogue was
 * updated in place, directories and files without a data ID that was; else those of types whose fingerprint is the same.
 */
export function invalidations(
  context: TreeContext,
  former: Catalogue,
  next: Catalogue,
  unread: UnreadContent | undefined,
  nodes: ReadonlyMap<NodeId, TreeNode>,
): Invalidation[] {
  const sameChains = JSON.stringify(former.collections()) === JSON.stringify(next.collections());
  const defaults = context.viewDefaults();
  context.replaceCatalogue(next, unread);
  // Where a governor has one more value, paths have one more key.
  const sameDefaults = [...defaults].every(([request, text]) => defaultsNow(context, request) === text);
  const touched = sameChains && sameDefaults ? touchFilter(former, next) : everything;
  const found: Invalidation[] = [];
  for (const node of nodes.values()) {
    if (node instanceof DataIdDirectory) {
      if (touched(node)) compareDirectory(node, found);
    } else if (node instanceof TypesDirectory || node instanceof CollectionsDirectory || node instanceof RepositoryDirectory) {
      found.push({ kind: 'node', node: node.id });
      forgetGoneChildren(node, found);
    } else if (node instanceof RepositoryFile) {
      if (node.parent !== undefined) found.push({ kind: 'entry', parent: node.parent.id, name: node.name });
    } else if (node instanceof DatasetFile) {
      const directory = dataIdDirectoryOf(node);
      if (directory === undefined || touched(directory)) compareFile(node, found);
    }
  }
  return found;
}

function defaultsNow(context: TreeContext, request: ViewRequest): string | undefined {
  try {
    return defaultsText(context.view(request));
  } catch {
    return undefined;
  }
}

/** The directory of a data ID that a node is in. */
function dataIdDirectoryOf(node: TreeNode): DataIdDirectory | undefined {
  let directory = node.parent;
  while (directory !== undefined && !(directory instanceof DataIdDirectory)) directory = directory.parent;
  return directory;
}

function compareDirectory(directory: DataIdDirectory, found: Invalidation[]): void {
  if (directory.listed !== 0 && listedNow(directory) !== directory.listed) found.push({ kind: 'node', node: directory.id });
  forgetGoneChildren(directory, found);
}

function listedNow(directory: DataIdDirectory): number {
  try {
    return listingHash(directory.listing());
  } catch {
    return 0;
  }
}

function forgetGoneChildren(directory: DirectoryNode, found: Invalidation[]): void {
  for (const name of [...(directory.children?.keys() ?? [])]) {
    if (name.startsWith('@') || resolves(directory, name)) continue;
    found.push({ kind: 'entry', parent: directory.id, name });
    directory.children?.delete(name);
  }
}

/** Whether the name would be found anew, whatever the kernel knows, and lead to the same. */
function resolves(directory: DirectoryNode, name: string): boolean {
  const known = directory.children?.get(name);
  directory.children?.delete(name);
  try {
    const now = directory.find(name);
    return !(known instanceof DatasetFile && now instanceof DatasetFile) || known.uuid === now.uuid;
  } catch {
    return false;
  } finally {
    if (known !== undefined) directory.children?.set(name, known);
  }
}

/** A name in a leaf that now leads to another dataset, or to none. */
function compareFile(file: DatasetFile, found: Invalidation[]): void {
  if (!(file.parent instanceof DataIdDirectory || file.parent instanceof BoxDirectory)) return;
  const now = namesNow(file.parent);
  if (now.get(file.name) !== file.uuid) found.push({ kind: 'entry', parent: file.parent.id, name: file.name });
}

function namesNow(directory: DataIdDirectory | BoxDirectory): Map<string, string> {
  try {
    return new Map(directory.files().map(({ name, row }) => [name, row.uuid]));
  } catch {
    return new Map();
  }
}
