/** Which of the two ways of talking to the kernel a mount takes. */

import { ButlerfsError } from '../common/errors.js';
import type { MountOptions } from './contract.js';
import type { TreeHost, TreeServices, TreeSettings } from './tree-host.js';

export type OpenHost = (settings: TreeSettings, services: TreeServices) => TreeHost;

/**
 * What serves the tree: by the transport that was asked for, else by the kernel's own protocol, and through libfuse only where that cannot be spoken here,
 * which `remark` is told. Each is loaded only where it is used. Throws `unsupported` where what was asked for cannot be used.
 */
export async function chooseHost(transport: MountOptions['transport'], remark: (line: string) => void): Promise<OpenHost> {
  if (transport === 'libfuse') return await openLibfuse();
  try {
    const { ReaderHost } = await import('./reader-host.js');
    return (settings, services) => new ReaderHost(settings, services);
  } catch (cause) {
    const why = reasonOf(cause);
    if (transport === 'kernel') {
      const advice = 'use transport=libfuse';
      throw new ButlerfsError('unsupported', { what: "transport 'kernel'", why, advice, cause });
    }
    const open = await openLibfuse().catch((error: unknown) => {
      const what = "transport 'kernel'";
      const advice = `libfuse instead: ${error instanceof Error ? error.message : String(error)}`;
      throw new ButlerfsError('unsupported', { what, why, advice, cause });
    });
    remark(`mounting through libfuse, since the kernel's own protocol cannot be spoken here: ${why}`);
    return open;
  }
}

async function openLibfuse(): Promise<OpenHost> {
  const [{ LibfuseHost }, { loadBinding }] = await Promise.all([import('./libfuse-host.js'), import('../fs/libfuse/binding.js')]);
  loadBinding();
  return (settings, services) => new LibfuseHost(settings, services);
}

/** Why the modules that call the C library cannot be loaded, in one line. */
function reasonOf(error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  return `the library koffi, or libc.so.6 through it, cannot be loaded (${line})`;
}
