/** What is wrong with a FITS file. */

import { ButlerfsError } from '../../common/errors.js';

/** `at`: the byte of the file that the fault is found at. Whoever knows the file's name adds it with {@link inFile}. */
export function fitsError(at: number, why: string): ButlerfsError {
  return new ButlerfsError('corrupt-repository', { what: `byte ${at} of a FITS file`, why });
}

/** The outcome of `work`; errors that it throws name the file. */
export function inFile<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ButlerfsError) || error.detail.where !== undefined) throw error;
    throw new ButlerfsError(error.code, { ...error.detail, where: file, cause: error.detail.cause ?? error });
  }
}
