/** An operation of the protocol: answers the request at hand, now or by parking it. It throws to answer with an errno. */

import { ButlerfsError, Errno, systemCallError } from '../../../common/errors.js';
import type { Entry, OpenedFile } from '../../contract.js';
import type { Conversation } from '../conversation.js';
import type { ReplyBuffer } from '../reply.js';

export type Operation = (conversation: Conversation) => void;
/** By opcode. */
export type Operations = Readonly<Record<number, Operation>>;

/** The open file of a handle that stands at `at` in the body. Throws EBADF. */
export function fileAt({ request, files }: Conversation, at: number): OpenedFile {
  const opened = files.get(request.number(at));
  if (opened === undefined) throw systemCallError(Errno.EBADF);
  return opened;
}

/** The method, where the file system has it. Throws `read-only`: it lacks what writes. */
export function required<T>(method: T | undefined): T {
  if (method === undefined) throw new ButlerfsError('read-only', { what: 'writing', why: 'the file system is read-only' });
  return method;
}

/** Encodes the answer of an operation that finds or makes a name. */
export function putEntry(reply: ReplyBuffer, entry: Entry): void {
  reply.entry(entry);
}
