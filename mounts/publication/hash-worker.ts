/** A thread of {@link HashingThreads}. */

import { parentPort } from 'node:worker_threads';
import { serializeError } from '../../common/errors.js';
import { hashFile } from './hash-file.js';
import type { HashAnswer, HashTask } from './hashing-threads.js';

const port = parentPort!;

port.on('message', ({ path, algorithm }: HashTask) => {
  let answer: HashAnswer;
  try {
    answer = { hashed: hashFile(path, algorithm) };
  } catch (error) {
    answer = { error: serializeError(error) };
  }
  port.postMessage(answer);
});
