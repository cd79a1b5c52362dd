/** Levels that `log-level` may name: those of pino, apart from it, since checking a name should not load it. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
