/** Asks a mount whether it answers, without ever hanging on one that does not. */

import { spawn } from 'node:child_process';

/** `answers`; `dead`: its daemon is gone (ENOTCONN, ECONNABORTED); `silent`: no answer in time; else the errno name of the failure. */
export type ProbeResult = 'answers' | 'dead' | 'silent' | { readonly errno: string };

/**
 * One statfs(2) of a mount point, in a process of its own: a call on a mount that hangs cannot be taken back, and a thread stuck in one keeps
 * its process from ending. The process is killed after `deadline` milliseconds.
 */
export async function probeMount(mountPoint: string, deadline: number): Promise<ProbeResult> {
  const program = 'require("fs").statfs(process.argv[1], (error) => process.stdout.write(error ? error.code : "ok"))';
  const child = spawn(process.execPath, ['-e', program, mountPoint], { stdio: ['ignore', 'pipe', 'ignore'], cwd: '/', env: {} });
  let answer = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => (answer += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), deadline);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
      // A process that even SIGKILL does not end yet (uninterruptible wait) is left to the kernel.
      setTimeout(resolve, deadline + 500).unref();
    });
  } finally {
    clearTimeout(timer);
    child.unref();
    child.stdout.destroy();
  }
  if (answer === 'ok') return 'answers';
  if (answer === 'ENOTCONN' || answer === 'ECONNABORTED') return 'dead';
  return answer === '' ? 'silent' : { errno: answer };
}
