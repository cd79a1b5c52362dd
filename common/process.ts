/** What tells processes and boots of this machine apart (proc(5)). */

import { readFileSync } from 'node:fs';

/** When a process started, in clock ticks since boot: with its number a name that no other has in this boot. Undefined where none of that number lives. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [processState] = fields;
    return processState === 'Z' || processState === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Another text after each start of the machine. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return 'unknown';
  }
}
