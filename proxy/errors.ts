/** Errors of remotes: which may be retried, and what the network's own errors mean. */

import { ButlerfsError, type ErrorCode, type ErrorDetail } from '../common/errors.js';
import { RETRYABLE_CODES } from './contract.js';

/** A failure after which the time to come back is known: the origin named it (HTTP Retry-After), or every mirror is being left alone for a while. */
export class RetryLaterError extends ButlerfsError {
  /** Milliseconds to wait before the next attempt. */
  readonly delay: number;
  /** Whether it was the origin that named it. */
  readonly isAsked: boolean;
  /** Whether one of several mirrors did answer, and has not what was asked for. */
  readonly isAbsentAtOne: boolean;

  constructor(
    detail: ErrorDetail,
    delay: number,
    {
      code = 'remote-failed',
      isAsked = true,
      isAbsentAtOne = false,
    }: { code?: ErrorCode; isAsked?: boolean; isAbsentAtOne?: boolean } = {},
  ) {
    super(code, detail);
    this.delay = delay;
    this.isAsked = isAsked;
    this.isAbsentAtOne = isAbsentAtOne;
  }
}

/**
 * Whether a file that need not be there is not: nobody who answers has it. Stores of objects say that it is forbidden to ask for what is not there, and mirrors that are away
 * are taken to be as those that are not.
 */
export function saysAbsent(error: unknown): boolean {
  if (error instanceof ButlerfsError && ['remote-not-found', 'remote-forbidden'].includes(error.code)) return true;
  // What gave up after some attempts has the last of them as its cause.
  for (let cause = error; cause instanceof ButlerfsError; cause = cause.cause)
    if (cause instanceof RetryLaterError && cause.isAbsentAtOne) return true;
  return false;
}

/** An answer that no other attempt makes better, as a web page in place of data. */
export class UnusableAnswerError extends ButlerfsError {
  constructor(detail: ErrorDetail) {
    super('remote-failed', detail);
  }
}

export function isRetryable(error: unknown): error is ButlerfsError {
  return (
    error instanceof ButlerfsError && !(error instanceof UnusableAnswerError) && (RETRYABLE_CODES as readonly string[]).includes(error.code)
  );
}

/** The `code` of an error of Node or undici, or undefined. */
export function systemCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Why a connection came to nothing, as a clause. */
export function connectionFailure(error: unknown): string {
  const code = systemCodeOf(error);
  if (error instanceof ButlerfsError) return error.message;
  switch (code) {
    case 'ENOTFOUND':
      return 'no such host';
    case 'EAI_AGAIN':
      return 'the name service does not answer';
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return 'the connection was closed by the other side';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route to the host';
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'the connection was not established in time';
    case undefined:
      break;
    default:
      if (/CERT|SELF_SIGNED|UNABLE_TO|SSL|TLS|EPROTO/.test(code)) return `TLS failed: ${messageOf(error)} (${code})`;
  }
  return messageOf(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(systemCodeOf(error) ?? error);
}
