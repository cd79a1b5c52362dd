/** Directories: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR, FSYNCDIR, and what changes them: MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME. */

import { Errno } from '../../../common/errors.js';
import { type Answer, isWaiting } from '../../contract.js';
import type { Conversation } from '../conversation.js';
import { FSYNC_DATA_ONLY, Opcode, OpenFlag } from '../protocol.js';
import { type Operations, putEntry, required } from './operation.js';

/** Lacking: ENOSYS makes the kernel do without OPENDIR and RELEASEDIR, and keep listings. */
function openDirectory(conversation: Conversation): void {
  const { fileSystem, request, reply } = conversation;
  if (fileSystem.openDirectory === undefined) {
    conversation.sendErrno(Errno.ENOSYS);
    return;
  }
  const handle = conversation.addDirectory(fileSystem.openDirectory(request.node));
  reply.open(handle, OpenFlag.CACHE_DIR | OpenFlag.KEEP_CACHE, 0);
  conversation.send();
}

function releaseDirectory(conversation: Conversation): void {
  const { fileSystem, request, directories } = conversation;
  const handle = request.number(0);
  const opened = directories.get(handle);
  if (opened !== undefined) {
    directories.delete(handle);
    fileSystem.releaseDirectory?.(request.node, opened);
  }
  conversation.send();
}

function syncDirectory(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  conversation.done(fileSystem.syncDirectory?.(request.node, (request.uint32(8) & FSYNC_DATA_ONLY) !== 0));
}

function list(conversation: Conversation, plus: boolean): void {
  const { fileSystem, request, reply, directories } = conversation;
  const { node } = request;
  const opened = directories.get(request.number(0));
  const from = { low: request.uint32(8), high: request.uint32(12) };
  const limit = request.uint32(16);
  const fill = (): Answer<unknown> => {
    reply.beginListing(plus, limit);
    return fileSystem.list(node, from, reply, opened);
  };
  const answer = fill();
  if (isWaiting(answer)) conversation.park(answer, fill);
  else conversation.send();
}

function makeNode(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  request.caller.umask = request.uint32(8);
  const make = required(fileSystem.makeNode);
  conversation.answer(
    make.call(fileSystem, request.node, request.name(16), request.uint32(0), request.uint32(4), request.caller),
    putEntry,
  );
}

function makeDirectory(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  request.caller.umask = request.uint32(4);
  const make = required(fileSystem.makeDirectory);
  conversation.answer(make.call(fileSystem, request.node, request.name(8), request.uint32(0), request.caller), putEntry);
}

function makeLink(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  const make = required(fileSystem.makeLink);
  conversation.answer(make.call(fileSystem, request.node, request.name(0), request.text(request.afterName(0)), request.caller), putEntry);
}

function link(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  conversation.answer(required(fileSystem.link).call(fileSystem, request.number(0), request.node, request.name(8)), putEntry);
}

function unlink(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  conversation.done(required(fileSystem.unlink).call(fileSystem, request.node, request.name(0)));
}

function removeDirectory(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  conversation.done(required(fileSystem.removeDirectory).call(fileSystem, request.node, request.name(0)));
}

function rename(conversation: Conversation, flags: number, namesAt: number): void {
  const { fileSystem, request } = conversation;
  const move = required(fileSystem.rename);
  const newName = request.name(request.afterName(namesAt));
  conversation.done(move.call(fileSystem, request.node, request.name(namesAt), request.number(0), newName, flags, request.caller));
}

export const directoryOperations: Operations = {
  [Opcode.OPENDIR]: openDirectory,
  [Opcode.RELEASEDIR]: releaseDirectory,
  [Opcode.FSYNCDIR]: syncDirectory,
  [Opcode.READDIR]: (conversation) => list(conversation, false),
  [Opcode.READDIRPLUS]: (conversation) => list(conversation, true),
  [Opcode.MKNOD]: makeNode,
  [Opcode.MKDIR]: makeDirectory,
  [Opcode.SYMLINK]: makeLink,
  [Opcode.LINK]: link,
  [Opcode.UNLINK]: unlink,
  [Opcode.RMDIR]: removeDirectory,
  [Opcode.RENAME]: (conversation) => rename(conversation, 0, 8),
  [Opcode.RENAME2]: (conversation) => rename(conversation, conversation.request.uint32(8), 16),
};
