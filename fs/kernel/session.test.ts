import fc from 'fast-check';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ButlerfsError, Errno } from '../../common/errors.js';
import type { Attributes, DirectorySink, FileSystem, FileSystemTraits, OpenedFile, Waiting } from '../contract.js';
import { readFully } from '../read-fully.js';
import { Opcode, OUT_HEADER_SIZE, SILENT_OPCODES, STATX_OUT_SIZE } from './protocol.js';
import { type ConverseOptions, converse as converseWith, frame, u32 } from './testing/conversation.js';

const TIME = { seconds: 1_500_000_000, nanoseconds: 250_000_000 };

/** A file system of one file, `file`, inode 2, on a real descriptor, and one name, `slow`, that never comes. */
class OneFile implements FileSystem {
  readonly traits: FileSystemTraits = {
    writable: false,
    nameEncoding: 'utf8',
    invalidatesByTime: false,
    readdirPlus: 'always',
    accessControlLists: false,
    birthTimes: false,
    negativeValidity: 5,
  };
  readonly forgotten: [number, number][] = [];
  aborted = 0;
  released = 0;
  /** Of names that never come, beside `slow`. */
  deadlines: Readonly<Record<string, number>> = {};
  onAbort: (() => void) | undefined;

  constructor(readonly fd: number) {}

  lookup(_parent: number, name: string) {
    if (name === 'slow' || name in this.deadlines) return this.#never(this.deadlines[name]);
    if (name === 'broken') throw new ButlerfsError('wrong-digest', { what: 'broken' });
    if (name !== 'file') throw new ButlerfsError('unknown-path', { what: name });
    return { node: 2, attributes: this.attributes(2) };
  }

  #never(deadline: number | undefined): Waiting<never> {
    return {
      begin: () => undefined,
      abort: () => {
        this.aborted++;
        this.onAbort?.();
      },
      deadline,
    };
  }

  forget(node: number, count: number): void {
    this.forgotten.push([node, count]);
  }

  attributes(node: number): Attributes {
    return {
      ino: 2 ** 40 + node,
      size: 5,
      blocks: 8,
      accessed: TIME,
      modified: TIME,
      changed: TIME,
      mode: node === 1 ? 0o40555 : 0o100444,
      nlink: 1,
      uid: 7,
      gid: 8,
      rdev: 0,
      blockSize: 4096,
      validity: 1.5,
    };
  }

  list(_node: number, { low }: { readonly low: number }, sink: DirectorySink): void {
    for (let i = low; i < 3; i++) {
      if (!sink.fits(`name-${i}`)) return;
      sink.add(`name-${i}`, { low: i + 1, high: 0 }, 0o100000, 0, { node: 2, attributes: this.attributes(2) });
    }
  }

  open(): OpenedFile {
    return { backing: this.fd, size: 5, keepCache: true, shareable: true };
  }

  read(opened: OpenedFile, into: Buffer, at: number, size: number, offset: number): number {
    return readFully(opened.backing!, into, at, size, offset);
  }

  release(): void {
    this.released++;
  }

  readLink(): Buffer {
    throw new ButlerfsError('unsupported', { what: 'link' });
  }

  attributeNames(): Buffer {
    return Buffer.from('user.a\0user.b\0');
  }

  attribute(_node: number, name: string): Buffer | undefined {
    if (!name.startsWith('user.')) throw new ButlerfsError('unsupported', { what: name });
    return name === 'user.a' ? Buffer.from('value') : undefined;
  }

  totals() {
    return { files: 1, freeFiles: 0, bytes: 5, freeBytes: 0, availableBytes: 0, blockSize: 4096, nameLength: 255 };
  }
}

let directory: string;
let file: number;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'butlerfs-session-'));
  writeFileSync(join(directory, 'file'), 'hello');
  file = openSync(join(directory, 'file'), 'r');
});

afterAll(() => {
  closeSync(file);
  rmSync(directory, { recursive: true });
});

function converse(frames: readonly Buffer[], fileSystem: FileSystem = new OneFile(file), options: ConverseOptions = {}): Buffer[] {
  return converseWith(frames, fileSystem, options);
}

const init = (minor: number, flags: number, flags2 = 0) =>
  frame(Opcode.INIT, 2, 0, Buffer.concat([u32(7, minor, 131072, flags, flags2), Buffer.alloc(44)]));

describe('the conversation with the kernel', () => {
  it('negotiates: the second word of flags counts only where the first announces it', () => {
    const [withExtension] = converse([init(45, 0x73fffffb, 0x5fd)]);
    expect(withExtension!.length).toBe(OUT_HEADER_SIZE + 64);
    expect(withExtension!.readUInt32LE(OUT_HEADER_SIZE + 32)).toBe((1 << 3) | (1 << 4) | (1 << 5));
    expect(withExtension!.readUInt32LE(OUT_HEADER_SIZE + 36)).toBe(1);
    const [without] = converse([init(31, 0x03fffffb)]);
    expect(without!.readUInt32LE(OUT_HEADER_SIZE + 32)).toBe(0);
    const [old] = converse([init(19, 0xffff)]);
    expect(old!.length).toBe(OUT_HEADER_SIZE + 24);
    const [tooOld] = converse([init(8, 0xff)]);
    expect(tooOld!.readInt32LE(4)).toBeLessThan(0);
  });

  it('looks up names, remembers that others do not exist, and says what failed', () => {
    const [found, missing, broken] = converse([
      frame(Opcode.LOOKUP, 4, 1, Buffer.from('file\0')),
      frame(Opcode.LOOKUP, 6, 1, Buffer.from('other\0')),
      frame(Opcode.LOOKUP, 8, 1, Buffer.from('broken\0')),
    ]);
    expect(found!.readUInt32LE(8)).toBe(4);
    expect(found!.readBigUInt64LE(OUT_HEADER_SIZE)).toBe(2n);
    expect(found!.readBigUInt64LE(OUT_HEADER_SIZE + 40)).toBe(2n ** 40n + 2n);
    expect(found!.readBigUInt64LE(OUT_HEADER_SIZE + 40 + 32)).toBe(1_500_000_000n);
    expect(found!.readUInt32LE(OUT_HEADER_SIZE + 40 + 52)).toBe(250_000_000);
    expect(found!.readUInt32LE(OUT_HEADER_SIZE + 40 + 68)).toBe(7);
    expect(missing!.readInt32LE(4)).toBe(0);
    expect(missing!.readBigUInt64LE(OUT_HEADER_SIZE)).toBe(0n);
    expect(missing!.readUInt32LE(OUT_HEADER_SIZE + 16)).toBeGreaterThan(0);
    expect(broken!.readInt32LE(4)).toBe(-Errno.EIO);
  });

  it('opens, reads to the end of the file and releases', () => {
    const fileSystem = new OneFile(file);
    const readBody = Buffer.concat([u32(1, 0, 1, 0, 100), Buffer.alloc(20)]);
    const [opened, data] = converse(
      [
        frame(Opcode.OPEN, 4, 2, u32(0, 0)),
        frame(Opcode.READ, 6, 2, readBody),
        frame(Opcode.RELEASE, 8, 2, Buffer.concat([u32(1, 0), Buffer.alloc(16)])),
      ],
      fileSystem,
    );
    expect(opened!.readBigUInt64LE(OUT_HEADER_SIZE)).toBe(1n);
    expect(data!.toString('utf8', OUT_HEADER_SIZE)).toBe('ello');
    expect(fileSystem.released).toBe(1);
  });

  it('has the kernel ask for times of birth only where there are any', () => {
    const ask = frame(Opcode.STATX, 4, 2, Buffer.alloc(24));
    const fileSystem = new OneFile(file);
    expect(converse([ask], fileSystem)[0]!.readInt32LE(4)).toBe(-Errno.ENOSYS);
    Object.assign(fileSystem.traits, { birthTimes: true });
    const [answer] = converse([ask], fileSystem);
    expect(answer!.length).toBe(OUT_HEADER_SIZE + STATX_OUT_SIZE);
  });

  it('refuses writing with EROFS and what it does not know with ENOSYS', () => {
    const replies = converse([frame(Opcode.MKDIR, 4, 1, Buffer.alloc(16)), frame(Opcode.OPENDIR, 6, 1, u32(0, 0)), frame(9999, 8, 1)]);
    expect(replies.map((reply) => reply.readInt32LE(4))).toEqual([-Errno.EROFS, -Errno.ENOSYS, -Errno.ENOSYS]);
  });

  it('lists only what fits and goes on where it stopped', () => {
    const body = (offset: number, size: number) => Buffer.concat([u32(0, 0, offset, 0, size), Buffer.alloc(20)]);
    const entrySize = 128 + 24 + 8;
    const [all, two, last, none] = converse([
      frame(Opcode.READDIRPLUS, 4, 1, body(0, 4096)),
      frame(Opcode.READDIRPLUS, 6, 1, body(0, 2 * entrySize + 10)),
      frame(Opcode.READDIRPLUS, 8, 1, body(2, 4096)),
      frame(Opcode.READDIRPLUS, 10, 1, body(3, 4096)),
    ]);
    expect(all!.length).toBe(OUT_HEADER_SIZE + 3 * entrySize);
    expect(two!.length).toBe(OUT_HEADER_SIZE + 2 * entrySize);
    expect(last!.toString('utf8', OUT_HEADER_SIZE + 128 + 24, OUT_HEADER_SIZE + 128 + 30)).toBe('name-2');
    expect(none!.length).toBe(OUT_HEADER_SIZE);
  });

  it('answers extended attributes by size, by value, by range; only user attributes exist', () => {
    const get = (unique: number, name: string, size: number) =>
      frame(Opcode.GETXATTR, unique, 2, Buffer.concat([u32(size, 0), Buffer.from(`${name}\0`)]));
    const [size, value, short, absent, system] = converse([
      get(4, 'user.a', 0),
      get(6, 'user.a', 64),
      get(8, 'user.a', 2),
      get(10, 'user.z', 64),
      get(12, 'security.selinux', 64),
    ]);
    expect(size!.readUInt32LE(OUT_HEADER_SIZE)).toBe(5);
    expect(value!.toString('utf8', OUT_HEADER_SIZE)).toBe('value');
    expect([short, absent, system].map((reply) => reply!.readInt32LE(4))).toEqual([-Errno.ERANGE, -Errno.ENODATA, -Errno.EOPNOTSUPP]);
  });

  it('ends an interrupted wait with EINTR and gives up the others at the end', () => {
    const fileSystem = new OneFile(file);
    const replies = converse(
      [
        frame(Opcode.LOOKUP, 4, 1, Buffer.from('slow\0')),
        frame(Opcode.LOOKUP, 6, 1, Buffer.from('slow\0')),
        frame(Opcode.STATFS, 8, 1),
        frame(Opcode.INTERRUPT, 5, 1, u32(4, 0)),
        frame(Opcode.INTERRUPT, 9, 1, u32(400, 0)),
      ],
      fileSystem,
    );
    expect(replies.map((reply) => [reply.readUInt32LE(8), reply.readInt32LE(4)])).toEqual([
      [8, 0],
      [4, -Errno.EINTR],
    ]);
    expect(fileSystem.aborted).toBe(2);
  });

  it('gives up a wait whose deadline has passed, with ETIMEDOUT, while one without end goes on', () => {
    const fileSystem = new OneFile(file);
    const names = ['endless', 'slow', 'quick', 'file'];
    fileSystem.deadlines = { endless: Infinity, quick: 30 };
    const started = performance.now();
    const replies = converse(
      names.map((name, i) => frame(Opcode.LOOKUP, 2 * i + 2, 1, Buffer.from(`${name}\0`))),
      fileSystem,
      {
        deadline: 60,
        // Two have a deadline.
        onStart: (end) => (fileSystem.onAbort = () => fileSystem.aborted === 2 && end()),
      },
    );
    expect(performance.now() - started).toBeGreaterThan(55);
    expect(replies.map((reply) => [names[reply.readUInt32LE(8) / 2 - 1], reply.readInt32LE(4)])).toEqual([
      ['file', 0],
      ['quick', -Errno.ETIMEDOUT],
      ['slow', -Errno.ETIMEDOUT],
    ]);
    expect(fileSystem.aborted).toBe(3);
  });

  it('hears what others wait for though requests keep coming', () => {
    const requests = Array.from({ length: 100 }, (_, i) => frame(Opcode.STATFS, 2 * i + 2, 1));
    // The wake pipe holds a byte from the start, and waking ends this session.
    expect(converse(requests).length).toBeLessThan(100);
  });

  it('forgets one and many without a reply', () => {
    const fileSystem = new OneFile(file);
    const many = Buffer.concat([u32(2, 0), u32(2, 0, 3, 0), u32(3, 0, 1, 0)]);
    expect(converse([frame(Opcode.FORGET, 4, 2, u32(1, 0)), frame(Opcode.BATCH_FORGET, 6, 0, many)], fileSystem)).toEqual([]);
    expect(fileSystem.forgotten).toEqual([
      [2, 1],
      [2, 3],
      [3, 1],
    ]);
  });

  it('answers every well-framed request once, whatever is in it, and drops the rest', () => {
    const opcodes = fc.oneof(fc.constantFrom(...Object.values(Opcode)), fc.nat(70));
    const request = fc.record({ opcode: opcodes, node: fc.nat(3), body: fc.uint8Array({ maxLength: 120 }), cut: fc.boolean() });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 20 }), (requests) => {
        const frames = requests.map(({ opcode, node, body, cut }, i) => {
          const bytes = frame(opcode, 2 * i + 2, node, Buffer.from(body));
          return cut ? bytes.subarray(0, Math.max(1, bytes.length - 3)) : bytes;
        });
        const expected = requests.flatMap(({ opcode, cut }, i) => (cut || SILENT_OPCODES.has(opcode) ? [] : [2 * i + 2]));
        const answered = converse(frames).map((reply) => reply.readUInt32LE(8));
        // A lookup of `slow` would wait; random bytes never spell it.
        expect(answered.sort((a, b) => a - b)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });
});
