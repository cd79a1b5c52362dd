/** Inodes and what is known of them: LOOKUP, FORGET, GETATTR, STATX, SETATTR, READLINK, ACCESS, STATFS. */

import { Errno, systemCallError } from '../../../common/errors.js';
import type { AttributeChanges, Attributes, OpenedFile } from '../../contract.js';
import type { Conversation } from '../conversation.js';
import { GETATTR_HAS_HANDLE, Opcode, SetAttr } from '../protocol.js';
import type { ReplyBuffer } from '../reply.js';
import type { RequestFrame } from '../request.js';
import { type Operations, putEntry, required } from './operation.js';

function lookup(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  conversation.answer(fileSystem.lookup(request.node, request.name(0)), putEntry);
}

function forget({ fileSystem, request, files }: Conversation): void {
  files.forget(request.node);
  fileSystem.forget(request.node, request.number(0));
}

/** The count that the frame says is not taken at its word: it must have room for so many. */
function forgetMany({ fileSystem, request, files }: Conversation): void {
  const count = Math.min(request.uint32(0), Math.floor((request.bodySize - 8) / 16));
  for (let i = 0; i < count; i++) {
    const node = request.number(8 + 16 * i);
    files.forget(node);
    fileSystem.forget(node, request.number(16 + 16 * i));
  }
}

/** The file that a GETATTR or STATX came through, where it says one. */
function handleOf({ request, files }: Conversation): OpenedFile | undefined {
  return (request.uint32(0) & GETATTR_HAS_HANDLE) === 0 ? undefined : files.get(request.number(8));
}

function getAttributes(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  conversation.answer(fileSystem.attributes(request.node, handleOf(conversation)), putAttributes);
}

/** "Not implemented" is kept by the kernel: statx(2) then takes what GETATTR and LOOKUP say. */
function statx(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  if (!fileSystem.traits.birthTimes) {
    conversation.sendErrno(Errno.ENOSYS);
    return;
  }
  conversation.answer(fileSystem.attributes(request.node, handleOf(conversation)), putStatx);
}

function setAttributes(conversation: Conversation): void {
  const { fileSystem, request, files } = conversation;
  const set = required(fileSystem.setAttributes);
  const opened = (request.uint32(0) & SetAttr.HANDLE) === 0 ? undefined : files.get(request.number(8));
  conversation.answer(set.call(fileSystem, request.node, changesOf(request), opened), putAttributes);
}

function putAttributes(reply: ReplyBuffer, attributes: Attributes): void {
  reply.attributes(attributes);
}

function putStatx(reply: ReplyBuffer, attributes: Attributes): void {
  reply.statx(attributes);
}

function changesOf(request: RequestFrame): AttributeChanges {
  const valid = request.uint32(0);
  const has = (bit: number): boolean => (valid & bit) !== 0;
  const size = has(SetAttr.SIZE) ? request.number(16) : undefined;
  // A size past what a number holds is past what any file system holds.
  if (size !== undefined && size > Number.MAX_SAFE_INTEGER) throw systemCallError(Errno.EFBIG);
  return {
    mode: has(SetAttr.MODE) ? request.uint32(68) & 0o7777 : undefined,
    uid: has(SetAttr.UID) ? request.uint32(76) : undefined,
    gid: has(SetAttr.GID) ? request.uint32(80) : undefined,
    size,
    accessed: has(SetAttr.ATIME_NOW) ? 'now' : has(SetAttr.ATIME) ? request.time(32, 56) : undefined,
    modified: has(SetAttr.MTIME_NOW) ? 'now' : has(SetAttr.MTIME) ? request.time(40, 60) : undefined,
    killSetId: has(SetAttr.KILL_SUIDGID),
  };
}

function readLink(conversation: Conversation): void {
  conversation.reply.data(conversation.fileSystem.readLink(conversation.request.node));
  conversation.send();
}

/** Lacking: ENOSYS makes the kernel take every access as granted, since it checks permissions itself (default_permissions). */
function access(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  if (fileSystem.access === undefined) {
    conversation.sendErrno(Errno.ENOSYS);
    return;
  }
  fileSystem.access(request.node, request.uint32(0), request.caller);
  conversation.send();
}

function statfs(conversation: Conversation): void {
  conversation.reply.statfs(conversation.fileSystem.totals(conversation.request.node));
  conversation.send();
}

export const nameOperations: Operations = {
  [Opcode.LOOKUP]: lookup,
  [Opcode.FORGET]: forget,
  [Opcode.BATCH_FORGET]: forgetMany,
  [Opcode.GETATTR]: getAttributes,
  [Opcode.STATX]: statx,
  [Opcode.SETATTR]: setAttributes,
  [Opcode.READLINK]: readLink,
  [Opcode.ACCESS]: access,
  [Opcode.STATFS]: statfs,
};
