/** Failures that say something of the question, not of the mount: programs try names and go on. They are answered and not reported. */

import { ButlerfsError, Errno, type ErrorCode, errnoOf, SystemCallError } from '../common/errors.js';

const QUIET_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unknown-dataset-type',
  'unknown-dimension',
  'unknown-value',
  'unknown-collection',
  'unknown-path',
  'invalid-value',
  'ambiguous',
  'read-only',
  'unsupported',
  'interrupted',
]);

export function isQuiet(error: unknown): boolean {
  if (error instanceof ButlerfsError) return QUIET_CODES.has(error.code);
  return error instanceof SystemCallError && errnoOf(error) !== Errno.EIO;
}
