/** The thread of {@link indexCatalogue}. */

import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../common/errors.js';
import { buildCatalogueFrom } from '../registry/open.js';
import { openRepository } from '../registry/reading.js';
import type { IndexMessage, IndexTask } from './index-catalogue.js';

const { reading, target, repository, validator, version } = workerData as IndexTask;
const say = (message: IndexMessage): void => parentPort?.postMessage(message);

try {
  const reader = openRepository(reading, { repository });
  try {
    const onProgress = (records: number): void => say({ kind: 'progress', records });
    say({ kind: 'done', info: await buildCatalogueFrom({ reader, target, repository, validator, version, onProgress }) });
  } finally {
    await reader.close();
  }
} catch (error) {
  say({ kind: 'failed', error: serializeError(error) });
}
