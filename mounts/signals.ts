/** Signals of a process that serves a mount. */

export interface ServeSignals {
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Ends the mount as a signal does. */
  end(reason: string): void;
}

/** Milliseconds that a mount has to drain after it was told to end. */
const DRAIN_DEADLINE = 15_000;

/**
 * SIGINT and SIGTERM end the mount; where it has not ended by a deadline the process does. SIGHUP calls `reopenLog`. SIGPIPE needs nothing: Node ignores
 * it, and a write to a closed pipe fails with EPIPE.
 */
export function serveSignals(reopenLog: () => void): ServeSignals {
  const controller = new AbortController();
  const end = (reason: string): void => {
    if (controller.signal.aborted) return;
    controller.abort(reason);
    setTimeout(() => process.exit(1), DRAIN_DEADLINE).unref();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => end(name));
  process.on('SIGHUP', reopenLog);
  return { signal: controller.signal, end };
}
