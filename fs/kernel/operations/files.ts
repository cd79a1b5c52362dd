/**
 * Open files: OPEN, CREATE, TMPFILE, READ, WRITE, FLUSH, RELEASE, FSYNC, FALLOCATE, LSEEK, COPY_FILE_RANGE, POLL. Reads and writes of files that the kernel
 * handles by itself (passthrough) do not come here.
 */

import { constants } from 'node:fs';
import { Errno, systemCallError } from '../../../common/errors.js';
import { type Answer, type Created, isWaiting, type OpenRequest } from '../../contract.js';
import { type Conversation, LARGEST_TRANSFER } from '../conversation.js';
import {
  FSYNC_DATA_ONLY,
  IN_HEADER_SIZE,
  OPEN_KILL_SUIDGID,
  Opcode,
  OUT_HEADER_SIZE,
  POLL_SCHEDULE_NOTIFY,
  RELEASE_FLOCK_UNLOCK,
  WRITE_IN_SIZE,
  WRITE_KILL_SUIDGID,
} from '../protocol.js';
import type { ReplyBuffer } from '../reply.js';
import { fileAt, type Operations, required } from './operation.js';

const ACCESS_MODE = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;
/** copy_file_range(2) copies less than what was asked for, never more: its count is 32 bits here. */
const LARGEST_COPY = 2 ** 31 - 4096;

function isReadOnly(flags: number): boolean {
  return (flags & ACCESS_MODE) === constants.O_RDONLY && (flags & constants.O_TRUNC) === 0;
}

function open(conversation: Conversation): void {
  const { fileSystem, request, reply } = conversation;
  const { node } = request;
  const flags = request.uint32(0);
  const readOnly = isReadOnly(flags);
  if (readOnly && conversation.files.reopen(node, reply)) {
    conversation.send();
    return;
  }
  const answer = fileSystem.open(node, { flags, killSetId: (request.uint32(4) & OPEN_KILL_SUIDGID) !== 0 }, request.caller);
  if (isWaiting(answer)) {
    conversation.park(answer, (opened) => {
      conversation.files.add(node, opened, readOnly, reply);
    });
    return;
  }
  conversation.files.add(node, answer, readOnly, reply);
  conversation.send();
}

function answerCreated(conversation: Conversation, answer: Answer<Created>): void {
  conversation.answer(answer, (reply, { entry, opened }) => {
    reply.entry(entry);
    conversation.files.add(entry.node, opened, false, reply);
  });
}

function create(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  const make = required(fileSystem.create);
  request.caller.umask = request.uint32(8);
  answerCreated(
    conversation,
    make.call(fileSystem, request.node, request.name(16), request.uint32(4), openRequest(conversation), request.caller),
  );
}

function createTemporary(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  if (fileSystem.createTemporary === undefined) {
    conversation.sendErrno(fileSystem.traits.writable ? Errno.ENOSYS : Errno.EROFS);
    return;
  }
  request.caller.umask = request.uint32(8);
  answerCreated(conversation, fileSystem.createTemporary(request.node, request.uint32(4), openRequest(conversation), request.caller));
}

/** Of CREATE and TMPFILE. */
function openRequest({ request }: Conversation): OpenRequest {
  return { flags: request.uint32(0), killSetId: (request.uint32(12) & OPEN_KILL_SUIDGID) !== 0 };
}

function read(conversation: Conversation): void {
  const { fileSystem, request, reply } = conversation;
  const opened = fileAt(conversation, 0);
  const offset = request.number(8);
  const size = Math.min(request.uint32(16), LARGEST_TRANSFER);
  const answer = fileSystem.read(opened, reply.bytes, OUT_HEADER_SIZE, size, offset);
  if (typeof answer === 'number') {
    reply.length = answer;
    conversation.send();
    return;
  }
  conversation.park(answer, () => {
    const again = fileSystem.read(opened, reply.bytes, OUT_HEADER_SIZE, size, offset);
    if (typeof again !== 'number') return again;
    reply.length = again;
    return undefined;
  });
}

function write(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  const put = required(fileSystem.write);
  const opened = fileAt(conversation, 0);
  const size = request.uint32(16);
  if (size > request.bodySize - WRITE_IN_SIZE) throw systemCallError(Errno.EINVAL);
  const killSetId = (request.uint32(20) & WRITE_KILL_SUIDGID) !== 0;
  const at = IN_HEADER_SIZE + WRITE_IN_SIZE;
  conversation.answer(put.call(fileSystem, opened, request.bytes, at, size, request.number(8), killSetId), putCount);
}

/** Lacking: ENOSYS makes the kernel send no more of them. */
function flush(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  if (fileSystem.flush === undefined) conversation.sendErrno(Errno.ENOSYS);
  else conversation.done(fileSystem.flush(request.node, fileAt(conversation, 0), request.bigint(16)));
}

function release(conversation: Conversation): void {
  const { request, files } = conversation;
  const unlocks = (request.uint32(12) & RELEASE_FLOCK_UNLOCK) !== 0;
  files.release(request.number(0), unlocks ? request.bigint(16) : undefined);
  conversation.send();
}

/** A file system without {@link FileSystem.sync} has nothing that is not safe. */
function sync(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  const opened = fileAt(conversation, 0);
  conversation.done(fileSystem.sync?.(opened, (request.uint32(8) & FSYNC_DATA_ONLY) !== 0));
}

function allocate(conversation: Conversation): void {
  const { fileSystem, request } = conversation;
  if (fileSystem.allocate === undefined) {
    conversation.sendErrno(fileSystem.traits.writable ? Errno.ENOSYS : Errno.EROFS);
    return;
  }
  conversation.done(
    fileSystem.allocate(fileAt(conversation, 0), request.uint32(24), request.number(8), request.number(16), request.caller),
  );
}

/** Lacking: ENOSYS makes the kernel take a file for data from start to end. */
function seek(conversation: Conversation): void {
  const { fileSystem, request, reply } = conversation;
  if (fileSystem.seek === undefined) {
    conversation.sendErrno(Errno.ENOSYS);
    return;
  }
  reply.uint64(fileSystem.seek(fileAt(conversation, 0), request.number(8), request.uint32(16)));
  conversation.send();
}

/** Lacking: ENOSYS makes the kernel read and write. */
function copyRange(conversation: Conversation, encode: (reply: ReplyBuffer, copied: number) => void): void {
  const { fileSystem, request } = conversation;
  if (fileSystem.copyRange === undefined) {
    conversation.sendErrno(Errno.ENOSYS);
    return;
  }
  const from = fileAt(conversation, 0);
  const to = fileAt(conversation, 24);
  const length = Math.min(request.number(40), LARGEST_COPY);
  conversation.answer(fileSystem.copyRange(from, request.number(8), to, request.number(32), length, request.caller), encode);
}

function putCount(reply: ReplyBuffer, bytes: number): void {
  reply.uint32(bytes);
}

function putLongCount(reply: ReplyBuffer, bytes: number): void {
  reply.uint64(bytes);
}

/** Lacking: ENOSYS makes the kernel take every file for ready. */
function poll(conversation: Conversation): void {
  const { fileSystem, request, reply } = conversation;
  if (fileSystem.poll === undefined) {
    conversation.sendErrno(Errno.ENOSYS);
    return;
  }
  const wantsNotice = (request.uint32(16) & POLL_SCHEDULE_NOTIFY) !== 0;
  reply.uint32(fileSystem.poll(fileAt(conversation, 0), request.uint32(20), wantsNotice ? request.bigint(8) : undefined));
  conversation.send();
}

function syncAll(conversation: Conversation): void {
  conversation.done(conversation.fileSystem.syncAll?.());
}

export const fileOperations: Operations = {
  [Opcode.OPEN]: open,
  [Opcode.CREATE]: create,
  [Opcode.TMPFILE]: createTemporary,
  [Opcode.READ]: read,
  [Opcode.WRITE]: write,
  [Opcode.FLUSH]: flush,
  [Opcode.RELEASE]: release,
  [Opcode.FSYNC]: sync,
  [Opcode.FALLOCATE]: allocate,
  [Opcode.LSEEK]: seek,
  [Opcode.COPY_FILE_RANGE]: (conversation) => copyRange(conversation, putCount),
  [Opcode.COPY_FILE_RANGE_64]: (conversation) => copyRange(conversation, putLongCount),
  [Opcode.POLL]: poll,
  [Opcode.SYNCFS]: syncAll,
};
