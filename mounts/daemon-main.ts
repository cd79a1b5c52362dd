/** The daemon's process: takes what to mount from the command that started it, says when the mount answers, and serves it to its end. */

import { serializeError } from '../common/errors.js';
import { findDirectories } from './directories.js';
import { openFileLog } from './log.js';
import { serveMount } from './serve.js';
import { serveSignals } from './signals.js';
import type { DaemonMessage, StartMessage } from './daemon-messages.js';

process.umask(0o022);
process.once('message', (message: StartMessage) => void main(message));

async function main({ options, logFile }: StartMessage): Promise<void> {
  const log = openFileLog(logFile, options.logLevel);
  const { signal, end } = serveSignals(() => log.reopen());
  let isReady = false;
  const say = (message: DaemonMessage): void => {
    if (process.connected) process.send!(message, undefined, undefined, () => undefined);
  };
  const heartbeat = setInterval(() => say({ kind: 'alive' }), 1_000);
  // A command that was interrupted or killed wants no mount.
  process.once('disconnect', () => void (isReady || end('the command that asked for the mount is gone')));
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.logger.fatal({ err: error }, event);
      process.exitCode = 1;
      end(event);
    });
  }
  try {
    await serveMount(options, {
      directories: findDirectories(),
      log,
      signal,
      onProgress: (line) => say({ kind: 'progress', line }),
      onRemark: (line) => say({ kind: 'remark', line }),
      onReady: () => {
        isReady = true;
        clearInterval(heartbeat);
        say({ kind: 'ready' });
      },
    });
  } catch (error) {
    log.logger.fatal({ err: error }, 'the mount failed');
    process.exitCode = 1;
    // The message must be out before the process ends.
    const sent = new Promise<void>((resolve) => {
      if (!process.connected) return resolve();
      process.send!({ kind: 'failed', error: serializeError(error) } satisfies DaemonMessage, undefined, undefined, () => resolve());
    });
    await sent;
  }
  log.close();
  process.exit();
}
