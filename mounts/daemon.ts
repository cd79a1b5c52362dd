/** Starts the daemon of a mount and waits until the mount answers. */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { ButlerfsError, deserializeError } from '../common/errors.js';
import { programFile } from '../common/program-file.js';
import { mountName } from './directories.js';
import { probeMount } from './probe.js';
import type { ChildProcess } from 'node:child_process';
import type { MountOptions } from './contract.js';
import type { DaemonMessage, StartMessage } from './daemon-messages.js';
import type { Directories } from './directories.js';

export interface DaemonSettings {
  readonly directories: Directories;
  readonly onProgress: (line: string) => void;
  readonly onRemark: (line: string) => void;
  /** Interrupts the wait and ends the daemon. */
  readonly signal: AbortSignal;
}

export interface StartedDaemon {
  readonly pid: number;
  readonly logFile: string;
}

/**
 * Buffers that bytes of a remote arrive in make V8 collect often, though the heap itself is small: helping threads cost more than they bring, and take cores from those
 * who read.
 */
const ENGINE_FLAGS = ['--single-threaded-gc'];
/** Milliseconds without a word from the daemon after which it counts as stuck. It speaks every second, whatever it waits for. */
const SILENCE_DEADLINE = 20_000;
/** Milliseconds that a new mount has to answer. */
const PROBE_DEADLINE = 5_000;
/** Milliseconds that a daemon has to end after SIGTERM. */
const END_DEADLINE = 5_000;

/**
 * Resolves once the mount answers. Rejects with the daemon's own error, or with `mount-failed` where it ended or hangs; the daemon is ended and
 * nothing is left mounted then.
 */
export async function startDaemon(options: MountOptions, settings: DaemonSettings): Promise<StartedDaemon> {
  const logFile = logFileOf(options.mountPoint, settings.directories);
  const child = spawnDaemon(options.mountPoint, logFile);
  try {
    await conversation(child, { options, logFile }, settings);
    const probe = await probeMount(options.mountPoint, PROBE_DEADLINE);
    if (probe !== 'answers') {
      const why = typeof probe === 'object' ? `the mount answers ${probe.errno}` : 'the mount does not answer';
      throw new ButlerfsError('mount-failed', { what: `mounting ${options.mountPoint}`, why, advice: `see ${logFile}` });
    }
  } catch (error) {
    await endChild(child);
    throw error;
  }
  child.disconnect();
  child.unref();
  return { pid: child.pid!, logFile };
}

export function logFileOf(mountPoint: string, { mountStates }: Directories): string {
  return join(mountStates, `${mountName(mountPoint)}.log`);
}

function spawnDaemon(mountPoint: string, logFile: string): ChildProcess {
  mkdirSync(join(logFile, '..'), { recursive: true, mode: 0o700 });
  const log = openSync(logFile, 'a', 0o600);
  try {
    // The mount point is an argument only to show in ps(1).
    return spawn(process.execPath, [...ENGINE_FLAGS, programFile('mounts/daemon-main.js'), mountPoint], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    });
  } finally {
    closeSync(log);
  }
}

/** Tells the daemon what to mount, and listens until it is ready. */
async function conversation(child: ChildProcess, start: StartMessage, { onProgress, onRemark, signal }: DaemonSettings): Promise<void> {
  const what = `mounting ${start.options.mountPoint}`;
  const see = `see ${start.logFile}`;
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void =>
      finish(() => reject(new ButlerfsError('mount-failed', { what, why, advice: see, cause })));
    const watch = setTimeout(() => fail(`the daemon said nothing for ${SILENCE_DEADLINE / 1000} s`), SILENCE_DEADLINE);
    const abort = (): void => finish(() => reject(new ButlerfsError('interrupted', { what, why: 'it was interrupted' })));
    const hear = (message: DaemonMessage): void => {
      watch.refresh();
      if (message.kind === 'progress') onProgress(message.line);
      else if (message.kind === 'remark') onRemark(message.line);
      else if (message.kind === 'ready') finish(resolve);
      else if (message.kind === 'failed') finish(() => reject(deserializeError(message.error)));
    };
    const ended = (code: number | null, killedBy: string | null): void => fail(`the daemon ended (${killedBy ?? `exit status ${code}`})`);
    const finish = (settle: () => void): void => {
      clearTimeout(watch);
      signal.removeEventListener('abort', abort);
      child.off('message', hear).off('exit', ended);
      settle();
    };
    child.on('message', hear).once('exit', ended);
    child.once('error', (cause) => fail('the daemon cannot be started', cause));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) return abort();
    child.send(start);
  });
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), END_DEADLINE);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
