/** A name for this process that no other has, now or later in this boot of the machine. */

import { readFileSync } from 'node:fs';

let own: string | undefined;

/** `<pid>-<start>`: the start time is in clock ticks since boot (proc(5), stat field 22). */
export function processName(): string {
  own ??= `${process.pid}-${startOf('self') ?? '0'}`;
  return own;
}

/** Whether the process of that name runs on this machine. */
export function isRunning(name: string): boolean {
  const [, pid, start] = /^(\d+)-(\d+)$/.exec(name) ?? [];
  return pid !== undefined && startOf(pid) === start;
}

function startOf(pid: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
