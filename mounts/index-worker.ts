/** The thread of {@link indexCatalogue}. */

import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../common/errors.js';
import { buildCatalogue, openGen3 } from '../registry/open.js';
import type { IndexMessage, IndexTask } from './index-catalogue.js';

const { target, repository, validator, version, ...source } = workerData as IndexTask;
const say = (message: IndexMessage): void => parentPort?.postMessage(message);

try {
  const reader = openGen3({ ...source, repository });
  try {
    const onProgress = (records: number): void => say({ kind: 'progress', records });
    say({ kind: 'done', info: buildCatalogue({ reader, target, repository, validator, version, onProgress }) });
  } finally {
    reader.close();
  }
} catch (error) {
  say({ kind: 'failed', error: serializeError(error) });
}
