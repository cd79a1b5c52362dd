/** Frames as no kernel sends them: random, truncated, with sizes and counts that lie. On the writable file system, so that every operation is behind them. */

import fc from 'fast-check';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Errno, systemCallError } from '../../common/errors.js';
import type { FileSystem } from '../contract.js';
import { BackingDirectory } from '../directory/backing-directory.js';
import { Opcode, OUT_HEADER_SIZE, SILENT_OPCODES, SMALLEST_BODY } from './protocol.js';
import { converse, frame, u32 } from './testing/conversation.js';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-fuzz-'));
  mkdirSync(join(scratch, 'served', 'd'), { recursive: true });
  writeFileSync(join(scratch, 'served', 'f'), 'content');
  symlinkSync('..', join(scratch, 'served', 'l'));
  writeFileSync(join(scratch, 'outside'), 'untouched');
});

afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A writable file system that refuses what would fill the disk. */
function served(): FileSystem & { close(): void } {
  const refused = {
    begin: (settle: (outcome: { error: unknown }) => void) => settle({ error: systemCallError(Errno.ENOSPC) }),
    abort: () => undefined,
  };
  return new BackingDirectory({
    root: join(scratch, 'served'),
    exclusive: true,
    ownsThread: false,
    locks: 'here',
    errands: { run: () => refused },
  });
}

/** Lets sessions answer any number of frames; one session looks after so many whether it is to end. */
function converseAll(frames: readonly Buffer[], fileSystem: FileSystem): Buffer[] {
  const replies: Buffer[] = [];
  for (let i = 0; i < frames.length; i += 30) replies.push(...converse(frames.slice(i, i + 30), fileSystem));
  return replies;
}

const opcode = fc.oneof(fc.constantFrom(...Object.values(Opcode)), fc.nat(200), fc.constant(0xffffffff));
/** Numbers that frames are made of: small ones that mean something, and those at the edges of what a word holds. */
const word = fc.oneof(fc.nat(8), fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff, 4096, 1 << 20), fc.nat(0xffff));
const name = fc.constantFrom(
  'f',
  'd',
  'l',
  'new',
  '..',
  '.',
  '',
  'a/b',
  '../outside',
  'x'.repeat(255),
  'y'.repeat(300),
  '\xff\xfe',
  'user.a',
);
const body = fc.tuple(fc.array(word, { maxLength: 24 }), fc.array(name, { maxLength: 3 }), fc.boolean()).map(([words, names, closed]) => {
  const text = Buffer.from(names.join('\0') + (closed ? '\0' : ''), 'latin1');
  return Buffer.concat([u32(...words), text]);
});
const request = fc.record({ opcode, node: fc.oneof(fc.nat(5), word), body, cut: fc.option(fc.nat(60), { nil: undefined, freq: 5 }) });

describe('frames as no kernel sends them', () => {
  it('are each answered once, or dropped as the protocol says, and touch nothing outside', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 30 }), (requests) => {
        const fileSystem = served();
        try {
          const frames = requests.map(({ opcode, node, body, cut }, i) => {
            const whole = frame(opcode, 2 * i + 2, node, body);
            return cut === undefined ? whole : whole.subarray(0, Math.max(1, whole.length - cut));
          });
          const expected = requests.flatMap(({ opcode, cut }, i) => (cut || SILENT_OPCODES.has(opcode) ? [] : [2 * i + 2]));
          const unexpected: unknown[] = [];
          const replies = converse(frames, fileSystem, { onError: (error) => unexpected.push(error) });
          for (const reply of replies) {
            expect(reply.readUInt32LE(0)).toBe(reply.length);
            const errno = -reply.readInt32LE(4);
            expect(errno).toBeGreaterThanOrEqual(0);
            expect(errno).toBeLessThan(512);
            if (errno > 0) expect(reply.length).toBe(OUT_HEADER_SIZE);
          }
          const answered = replies.map((reply) => reply.readUInt32LE(8));
          expect(answered.sort((a, b) => a - b)).toEqual(expected);
          // Whatever is wrong is wrong with the question.
          expect(unexpected.map(String).filter((text) => !/protocol \d+\.\d+|EIO/.test(text))).toEqual([]);
        } finally {
          fileSystem.close();
        }
        expect(statSync(join(scratch, 'outside')).size).toBe('untouched'.length);
      }),
      { numRuns: 400 },
    );
  });

  it('are taken with every body size of every operation, from nothing to more than it needs', () => {
    const fileSystem = served();
    try {
      for (const code of Object.values(Opcode)) {
        const smallest = SMALLEST_BODY[code] ?? 0;
        const frames = Array.from({ length: smallest + 24 }, (_, size) => frame(code, 2 * size + 2, 1, Buffer.alloc(size, 1)));
        const replies = converseAll(frames, fileSystem);
        if (SILENT_OPCODES.has(code)) expect(replies).toEqual([]);
        else {
          expect(replies.map((reply) => reply.readUInt32LE(8))).toEqual(frames.map((_, size) => 2 * size + 2));
          const short = replies.slice(0, smallest).map((reply) => reply.readInt32LE(4));
          expect(new Set(short), `opcode ${code}`).toEqual(new Set(smallest === 0 ? [] : [-Errno.EINVAL]));
        }
      }
    } finally {
      fileSystem.close();
    }
  });

  it('cost no more memory than their own size, whatever sizes and counts they name', () => {
    const huge = [0xffffffff, 0x7fffffff];
    const words = (at: number, value: number): Buffer => {
      const bytes = Buffer.alloc(96);
      bytes.writeUInt32LE(value, at);
      return bytes;
    };
    const frames = Object.values(Opcode)
      .filter((code) => code !== Opcode.INIT && code !== Opcode.FALLOCATE)
      .flatMap((code) => huge.flatMap((value) => [0, 8, 16, 24, 40].map((at) => frame(code, 2, 1, words(at, value)))));
    const fileSystem = served();
    try {
      const round = (): void => {
        converseAll(frames, fileSystem);
      };
      round();
      // Memory of buffers, and what the process has in all: a buffer of the size that a frame names would show in both.
      const before = process.memoryUsage();
      for (let i = 0; i < 3; i++) round();
      const after = process.memoryUsage();
      const limit = 64 * 2 ** 20;
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(limit);
      expect(after.rss - before.rss).toBeLessThan(2 * limit);
    } finally {
      fileSystem.close();
    }
  });
});
