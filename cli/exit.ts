/** How the command ends: 0 done, 1 failed, 2 wrong usage. */

import { exitStatusOf } from '../common/errors.js';
import { endProgress, endQuietlyOnClosedPipe, reportError } from './output.js';

/** Runs the command and ends the process, whatever it left behind. */
export async function runAndExit(command: () => Promise<void>, debug: boolean): Promise<never> {
  endQuietlyOnClosedPipe();
  let status = 0;
  try {
    await command();
    endProgress();
  } catch (error) {
    const isClosedPipe = error instanceof Error && 'code' in error && error.code === 'EPIPE';
    if (!isClosedPipe) {
      reportError(error, debug);
      status = exitStatusOf(error);
    }
  }
  process.exit(status);
}

/** Aborted by SIGINT and SIGTERM; a second signal ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort(name));
  return controller.signal;
}
