/** The thread of {@link indexCatalogue}. */

import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../common/errors.js';
import { buildCatalogueFrom, updateCatalogue } from '../registry/open.js';
import { openRepository } from '../registry/reading.js';
import type { IndexMessage, IndexTask } from './index-catalogue.js';

const { reading, target, repository, validator, names, version, existing, updatable } = workerData as IndexTask;
const say = (message: IndexMessage): void => parentPort?.postMessage(message);

/** Warnings that are told one by one: a repository may have any number of files that are none of its datasets. */
const TOLD = 100;
let untold = 0;
const warned = new Set<string>();

function warn(message: string): void {
  if (warned.size < TOLD) {
    warned.add(message);
    say({ kind: 'warning', message });
  } else if (!warned.has(message)) untold++;
}

try {
  const reader = await openRepository(reading, { repository, onWarning: warn });
  try {
    const onProgress = (records: number): void => say({ kind: 'progress', records });
    const options = { reader, target, repository, validator, names, version, updatable, onProgress };
    const updated = existing === undefined ? undefined : await updateCatalogue({ ...options, target: existing });
    const info = updated ?? (await buildCatalogueFrom(options));
    if (untold > 0) say({ kind: 'warnings', count: untold });
    say({ kind: 'done', info, isUpdate: updated !== undefined, isUnfinished: updated !== undefined && reader.isUnfinished === true });
  } finally {
    await reader.close();
  }
} catch (error) {
  say({ kind: 'failed', error: serializeError(error) });
}
