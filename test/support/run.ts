/** Runs a program to its end, or to its deadline. */

import { spawn } from 'node:child_process';

/** Milliseconds for which the pipes of a program that has ended may stay open. */
const PATIENCE = 1000;

export interface RunOptions {
  /** Milliseconds after which the program and its children are killed; default 30,000. */
  readonly timeout?: number;
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

export interface RunResult {
  /** Null where a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Wall-clock milliseconds. */
  readonly elapsed: number;
  readonly timedOut: boolean;
}

/** Rejects only where the program cannot be started. Output is UTF-8. */
export function run(command: string, args: readonly string[], { timeout = 30_000, env = {}, cwd }: RunOptions = {}): Promise<RunResult> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that the deadline also ends what the program started.
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
    });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const timer = setTimeout(() => {
      timedOut = true;
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
    }, timeout);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      const elapsed = performance.now() - started;
      const finish = (): void => {
        clearTimeout(patience);
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ status, signal, stdout, stderr, elapsed, timedOut });
      };
      // What it said may still be on its way; a daemon that inherited the pipes must not keep the caller waiting.
      const patience = setTimeout(finish, PATIENCE);
      child.once('close', finish);
    });
  });
}

/** Like {@link run}, but any other end than exit status 0 is an error that shows what the program said. Returns standard output. */
export async function runSuccessfully(command: string, args: readonly string[], options?: RunOptions): Promise<string> {
  const result = await run(command, args, options);
  if (result.status !== 0) {
    const end = result.timedOut ? 'did not end in time' : `ended with ${result.status ?? result.signal ?? 'nothing'}`;
    throw new Error(`${command} ${args.join(' ')} ${end}:\n${result.stderr}${result.stdout}`);
  }
  return result.stdout;
}
