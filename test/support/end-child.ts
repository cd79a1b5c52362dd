/** The end of programs that tests start. */

import type { ChildProcess } from 'node:child_process';

/** Sends the signal and waits until the process has ended; one that has, or is none, is left alone. */
export async function endChild(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}
