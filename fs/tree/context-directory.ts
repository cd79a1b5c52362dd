/** A directory that follows from the catalogue as a whole. */

import type { TreeContext } from './context.js';
import { DirectoryNode } from './node.js';

export abstract class ContextDirectory extends DirectoryNode {
  protected readonly context: TreeContext;

  constructor(context: TreeContext, parent: DirectoryNode | undefined, name: string) {
    super(parent, name);
    this.context = context;
  }

  get modified(): number {
    return this.context.catalogue.info.readAt;
  }
}
