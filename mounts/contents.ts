/** What a mount shows, looked at beside its daemon: its files with what brings each into the cache. */

import { ButlerfsError } from '../common/errors.js';
import type { ContentBelow } from '../fs/tree/contents.js';
import { askDaemon } from './control.js';
import { ServedTree, type ContentQuestions } from './served-tree.js';
import type { MountState } from './state.js';
import type { TreeSettings } from './tree-host.js';

/** Milliseconds that a daemon has to say what it serves. */
const DEADLINE = 10_000;

export interface MountedContents {
  readonly settings: TreeSettings;
  /** As `contentsBelow`: files at and below a path below the mount point. */
  below(path: string): Generator<ContentBelow, void, undefined>;
  close(): void;
}

/** The caller closes it. Throws as `askDaemon` does, and `cache-failed` where the catalogue cannot be read. */
export async function openContents(state: Pick<MountState, 'socket'>, signal?: AbortSignal): Promise<MountedContents> {
  const settings = await askDaemon(state.socket, { command: 'tree' }, { deadline: DEADLINE, signal });
  const served = new ServedTree(settings, nothingToAsk);
  return {
    settings,
    below: (path) => served.tree.contents(path),
    close: () => served.close(),
  };
}

function notAsked(): never {
  throw new ButlerfsError('internal', { what: 'asking for content', why: 'this tree is only looked at' });
}

const nothingToAsk: ContentQuestions = {
  open: notAsked,
  readPartial: notAsked,
  advance: notAsked,
  closePartial: notAsked,
  expect: notAsked,
  size: notAsked,
  read: notAsked,
  status: notAsked,
  need: notAsked,
};
