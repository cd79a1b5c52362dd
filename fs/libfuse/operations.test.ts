/** Paths, handles and removals over a file system in memory that counts. What the kernel and libfuse make of it: test/libfuse.test.ts. */

import { beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../contract.js';
import { type Later, Waits } from './later.js';
import { PathOperations } from './operations.js';
import { Paths } from './paths.js';
import { MemoryFiles } from './testing/memory-files.js';

const HIDDEN = '.fuse_hidden0000000200000001';
const NLINK = 6;
const INO = 7;

/** Here everything answers at once. */
function now<T>(later: Later<T>): T {
  if (later instanceof Promise) throw new Error('it would wait');
  return later;
}

let files: MemoryFiles;
let operations: PathOperations;
let late: unknown[];

beforeEach(() => {
  files = new MemoryFiles();
  late = [];
  operations = new PathOperations({
    fileSystem: files,
    waits: new Waits(1_000),
    keepsSetId: true,
    onLateError: (error) => {
      late.push(error);
    },
  });
});

function make(path: string): number {
  return now(operations.create(path, 0o644));
}

function names(path = '/'): string[] {
  return now(operations.list(path)).names.slice(2);
}

const fails = (errnoNumber: number): unknown => expect.objectContaining({ errnoNumber });

describe('names', () => {
  it('are looked up once while they are good, and again when they are not', () => {
    now(operations.makeDirectory('/d', 0o755));
    operations.release(make('/d/f'));
    files.asked.length = 0;
    now(operations.attributes('/d/f'));
    expect(files.asked).toEqual([]);
    operations.expireNames();
    now(operations.attributes('/d/f'));
    expect(files.asked).toEqual(['d', 'f']);
    files.validity = 0;
    operations.expireNames();
    now(operations.attributes('/d/f'));
    now(operations.attributes('/d/f'));
    expect(files.asked).toEqual(['d', 'f', 'd', 'f', 'd', 'f']);
  });

  it('lead elsewhere when they were replaced', () => {
    operations.release(make('/f'));
    const before = now(operations.attributes('/f'))[INO];
    files.replace(ROOT, 'f');
    operations.expireNames();
    expect(now(operations.attributes('/f'))[INO]).not.toBe(before);
  });

  it('go with a directory that is moved, and with one that is removed', () => {
    now(operations.makeDirectory('/d', 0o755));
    operations.release(make('/d/f'));
    now(operations.rename('/d', '/e'));
    files.asked.length = 0;
    now(operations.attributes('/e/f'));
    expect(files.asked).toEqual([]);
    expect(() => now(operations.attributes('/d/f'))).toThrow(fails(2));
    now(operations.unlink('/e/f'));
    now(operations.removeDirectory('/e'));
    expect(() => now(operations.attributes('/e/f'))).toThrow(fails(2));
  });

  it('hold as many lookups as are given back', () => {
    now(operations.makeDirectory('/d', 0o755));
    const open = make('/d/f');
    now(operations.link('/d/f', '/g'));
    now(operations.rename('/g', '/h'));
    operations.expireNames();
    now(operations.attributes('/h'));
    expect(() => now(operations.attributes('/none/x'))).toThrow(fails(2));
    operations.forgetUnused(0);
    expect(files.held).toEqual({ lookups: 2, open: 1 });
    operations.release(open);
    operations.forgetUnused(0);
    expect(files.held).toEqual({ lookups: 0, open: 0 });
  });

  it('are forgotten where there are too many, those used last at the end', () => {
    const waits = new Waits(1_000);
    const paths = new Paths(files, waits, 3);
    for (const name of ['a', 'b', 'c', 'd']) files.forget(files.makeDirectory(ROOT, name).node, 1);
    for (const name of ['a', 'b', 'c', 'a', 'd']) paths.unpin(now(paths.find(`/${name}`)));
    expect(paths.size).toBe(3);
    files.asked.length = 0;
    for (const name of ['a', 'c', 'd', 'b']) paths.unpin(now(paths.find(`/${name}`)));
    expect(files.asked).toEqual(['b']);
    paths.clear();
    expect(files.held.lookups).toBe(0);
  });
});

describe('a file that is removed while it is open', () => {
  it('is gone from its directory, has no link, and is reached by its hidden name until it is closed', () => {
    const open = make('/f');
    now(operations.rename('/f', `/${HIDDEN}`));
    expect(now(operations.attributesOfOpen(open))[NLINK]).toBe(0);
    expect(now(operations.attributes(`/${HIDDEN}`))[NLINK]).toBe(0);
    expect(() => now(operations.attributes('/f'))).toThrow(fails(2));
    expect(now(operations.attributes(`/${HIDDEN}`))[NLINK]).toBe(0);
    expect(names()).toEqual([]);
    operations.release(open);
    now(operations.unlink(`/${HIDDEN}`));
    expect(() => now(operations.attributes(`/${HIDDEN}`))).toThrow(fails(2));
    operations.forgetUnused(0);
    expect(files.held).toEqual({ lookups: 0, open: 0 });
    expect(late).toEqual([]);
  });

  it('goes after a moment by itself', async () => {
    const open = make('/f');
    now(operations.rename('/f', `/${HIDDEN}`));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(() => files.lookup(ROOT, 'f')).toThrow(fails(2));
    operations.release(open);
    now(operations.unlink(`/${HIDDEN}`));
  });

  it('keeps its directory, which may be moved', () => {
    now(operations.makeDirectory('/d', 0o755));
    const open = make('/d/f');
    now(operations.rename('/d/f', `/d/${HIDDEN}`));
    expect(() => now(operations.removeDirectory('/d'))).toThrow(fails(16));
    now(operations.rename('/d', '/e'));
    expect(now(operations.attributes(`/e/${HIDDEN}`))[NLINK]).toBe(0);
    operations.release(open);
    now(operations.unlink(`/e/${HIDDEN}`));
    now(operations.removeDirectory('/e'));
    expect(names()).toEqual([]);
  });

  it('makes room for a file of the same name at once', () => {
    const open = make('/f');
    now(operations.rename('/f', `/${HIDDEN}`));
    operations.release(make('/f'));
    expect(names()).toEqual(['f']);
    operations.release(open);
    now(operations.unlink(`/${HIDDEN}`));
    expect(names()).toEqual(['f']);
  });
});

describe('an open file that is replaced', () => {
  it('is replaced in one step', () => {
    const open = make('/f');
    operations.release(make('/new'));
    const inode = now(operations.attributes('/new'))[INO];
    now(operations.rename('/f', `/${HIDDEN}`));
    expect(files.lookup(ROOT, 'f').node).not.toBe(inode);
    now(operations.rename('/new', '/f'));
    expect(now(operations.attributes('/f'))[INO]).toBe(inode);
    expect(now(operations.attributesOfOpen(open))[NLINK]).toBe(0);
    operations.release(open);
    now(operations.unlink(`/${HIDDEN}`));
    expect(names()).toEqual(['f']);
  });

  it('stays where it cannot be', () => {
    const open = make('/refused');
    operations.release(make('/new'));
    now(operations.rename('/refused', `/${HIDDEN}`));
    expect(() => now(operations.rename('/new', '/refused'))).toThrow(fails(28));
    expect(now(operations.attributesOfOpen(open))[NLINK]).toBe(1);
    operations.release(open);
    now(operations.unlink(`/${HIDDEN}`));
    expect(names().sort()).toEqual(['new', 'refused']);
  });
});
