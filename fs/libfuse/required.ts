import { ButlerfsError } from '../../common/errors.js';

/** The method, where the file system has it. Throws `read-only`: it lacks what writes. */
export function required<T>(method: T | undefined): T {
  if (method === undefined) throw new ButlerfsError('read-only', { what: 'writing', why: 'the file system is read-only' });
  return method;
}
