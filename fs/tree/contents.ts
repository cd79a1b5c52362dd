/** Every file of the repository below a path, without a kernel that asks for them one by one. */

import type { ObjectRequest } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import { ContentFile } from './content-file.js';
import { DirectoryNode, type TreeNode } from './node.js';

export interface ContentBelow {
  /** Below the mount point, without a leading slash. */
  readonly path: string;
  /** Bytes; null where they are not known before it is fetched. */
  readonly size: number | null;
  /** What brings it. Throws `remote-forbidden` where its location leads outside what the mount may read. */
  readonly request: () => ObjectRequest;
}

/**
 * The files at and below `path` ('' is all), in the order of listings; a dataset that several directories show comes several times. Texts that the mount makes by
 * itself are left out. Throws what a look-up of the path throws.
 */
export function* contentsBelow(root: DirectoryNode, path: string): Generator<ContentBelow, void, undefined> {
  let node: TreeNode = root;
  for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
    if (!(node instanceof DirectoryNode))
      throw new ButlerfsError('unknown-path', { what: `'/${node.path}'`, why: 'it is not a directory' });
    node = node.find(name);
  }
  yield* below(node);
}

function* below(node: TreeNode): Generator<ContentBelow, void, undefined> {
  if (node instanceof ContentFile) {
    yield { path: node.path, size: node.size, request: () => node.request() };
  } else if (node instanceof DirectoryNode) {
    const listing = node.listing();
    for (let i = 0; i < listing.count; i++) yield* below(listing.at(i).node());
  }
}
