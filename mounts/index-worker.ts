/** The thread of {@link indexCatalogue}. */

import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../common/errors.js';
import { buildCatalogueFrom, updateCatalogue } from '../registry/open.js';
import { openRepository } from '../registry/reading.js';
import type { IndexMessage, IndexTask } from './index-catalogue.js';

const { reading, target, repository, validator, names, version, existing, updatable } = workerData as IndexTask;
const say = (message: IndexMessage): void => parentPort?.postMessage(message);

try {
  const reader = await openRepository(reading, { repository });
  try {
    const onProgress = (records: number): void => say({ kind: 'progress', records });
    const options = { reader, target, repository, validator, names, version, updatable, onProgress };
    const updated = existing === undefined ? undefined : await updateCatalogue({ ...options, target: existing });
    say({
      kind: 'done',
      info: updated ?? (await buildCatalogueFrom(options)),
      isUpdate: updated !== undefined,
      isUnfinished: updated !== undefined && reader.isUnfinished === true,
    });
  } finally {
    await reader.close();
  }
} catch (error) {
  say({ kind: 'failed', error: serializeError(error) });
}
