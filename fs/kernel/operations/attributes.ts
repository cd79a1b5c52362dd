/** Extended attributes (GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR) and locks (GETLK, SETLK, SETLKW). */

import { Errno } from '../../../common/errors.js';
import type { FileLock, LockRequest } from '../../contract.js';
import type { Conversation } from '../conversation.js';
import { LOCK_IS_FLOCK, LockType, Opcode, SETXATTR_ACL_KILL_SGID } from '../protocol.js';
import type { RequestFrame } from '../request.js';
import { type Operations, required } from './operation.js';

const SETXATTR_HEADER = 8;
const SETXATTR_HEADER_EXTENDED = 16;

/** With size 0 the caller asks how long the answer is. */
function sized(conversation: Conversation, value: Buffer | undefined): void {
  const { request, reply } = conversation;
  const room = request.uint32(0);
  if (value === undefined) conversation.sendErrno(Errno.ENODATA);
  else if (room === 0) {
    reply.uint32(value.length);
    conversation.send();
  } else if (value.length > room) conversation.sendErrno(Errno.ERANGE);
  else {
    reply.data(value);
    conversation.send();
  }
}

function getAttribute(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  sized(conversation, fileSystem.attribute(request.node, request.name(8)));
}

function listAttributes(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  sized(conversation, fileSystem.attributeNames(request.node, request.caller));
}

/** The longer header is used where it was negotiated, which is where access lists are kept. */
function setAttribute(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  const set = required(fileSystem.setAttribute);
  const extended = fileSystem.traits.accessControlLists;
  const nameAt = extended ? SETXATTR_HEADER_EXTENDED : SETXATTR_HEADER;
  const name = request.name(nameAt);
  const value = request.data(request.afterName(nameAt), request.uint32(0));
  const killSetGroupId = extended && (request.uint32(8) & SETXATTR_ACL_KILL_SGID) !== 0;
  conversation.done(set.call(fileSystem, request.node, name, value, request.uint32(4), killSetGroupId));
}

function removeAttribute(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  conversation.done(required(fileSystem.removeAttribute).call(fileSystem, request.node, request.name(0)));
}

const TYPES: Readonly<Record<number, FileLock['type']>> = { [LockType.READ]: 'read', [LockType.WRITE]: 'write', [LockType.NONE]: 'none' };

function lockOf(request: RequestFrame): LockRequest {
  const type = TYPES[request.uint32(32)] ?? 'none';
  return {
    lock: { type, start: request.bigint(16), end: request.bigint(24), pid: request.uint32(36) },
    owner: request.bigint(8),
    isFlock: (request.uint32(40) & LOCK_IS_FLOCK) !== 0,
  };
}

/** Lacking: the kernel was not told that locks are kept here, and keeps them itself. */
function getLock(conversation: Conversation): void {
  const { fileSystem, request, reply } = conversation;
  if (fileSystem.getLock === undefined) {
    conversation.sendErrno(Errno.ENOSYS);
    return;
  }
  reply.lock(fileSystem.getLock(request.node, lockOf(request)));
  conversation.send();
}

function setLock(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  if (fileSystem.setLock === undefined) conversation.sendErrno(Errno.ENOSYS);
  else conversation.done(fileSystem.setLock(request.node, lockOf(request), request.opcode === Opcode.SETLKW));
}

export const attributeOperations: Operations = {
  [Opcode.GETXATTR]: getAttribute,
  [Opcode.LISTXATTR]: listAttributes,
  [Opcode.SETXATTR]: setAttribute,
  [Opcode.REMOVEXATTR]: removeAttribute,
  [Opcode.GETLK]: getLock,
  [Opcode.SETLK]: setLock,
  [Opcode.SETLKW]: setLock,
};
