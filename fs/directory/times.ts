/** Times as utimensat(2) takes them. */

import type { Time } from '../contract.js';

/** UTIME_NOW and UTIME_OMIT, in the place of nanoseconds. */
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

/** Writes a timespec structure of 16 bytes; an absent time is left as it is. */
export function putTime(times: Buffer, at: number, time: Time | 'now' | undefined): void {
  const isGiven = time !== undefined && time !== 'now';
  times.writeBigInt64LE(isGiven ? BigInt(time.seconds) : 0n, at);
  times.writeBigInt64LE(BigInt(isGiven ? time.nanoseconds : time === 'now' ? UTIME_NOW : UTIME_OMIT), at + 8);
}
