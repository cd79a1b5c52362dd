/** Directories below operators that are answered from the catalogue anew: after an update the kernel forgets them. */

import type { Invalidation, NodeId } from '../contract.js';
import { ContextDirectory } from './context-directory.js';
import type { TreeNode } from './node.js';

export abstract class OperatorDirectory extends ContextDirectory {}

/** What the kernel must forget of such directories when another catalogue is taken up. Their children are found anew. */
export function operatorInvalidations(nodes: ReadonlyMap<NodeId, TreeNode>): Invalidation[] {
  const found: Invalidation[] = [];
  for (const node of nodes.values()) {
    if (node.parent instanceof OperatorDirectory) found.push({ kind: 'entry', parent: node.parent.id, name: node.name });
    if (node instanceof OperatorDirectory) {
      found.push({ kind: 'node', node: node.id });
      node.children = undefined;
    }
  }
  return found;
}
