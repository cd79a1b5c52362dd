import { closeSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Caller, DirectorySink, Waiting } from '../contract.js';
import type { Errand } from '../errands.js';
import { BackingDirectory } from './backing-directory.js';

const ROOT = 1;
const CALLER: Caller = { uid: -1, gid: -1, pid: 1, umask: 0o022 };

let root: string;
let directory: BackingDirectory;
let errands: Errand[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'butlerfs-backing-'));
  writeFileSync(join(root, 'file'), 'text');
  errands = [];
  directory = new BackingDirectory({
    root,
    exclusive: true,
    locks: 'kernel',
    ownsThread: false,
    errands: {
      run: (errand) => {
        errands.push(errand);
        closeSync(errand.fd);
        if (errand.call === 'copy_file_range') closeSync(errand.to);
        return { begin: () => undefined, abort: () => undefined, deadline: Infinity };
      },
    },
  });
  // Creating sets it.
  process.umask(0o022);
});

afterEach(() => {
  directory.close();
  rmSync(root, { recursive: true });
});

function names(plus: boolean): string[] {
  const listed: string[] = [];
  const sink: DirectorySink = {
    plus,
    fits: () => true,
    add: (name, _next, _type, _ino, entry) => {
      listed.push(name);
      expect(entry !== undefined).toBe(plus && !name.startsWith('.'));
    },
  };
  directory.list(ROOT, { low: 0, high: 0 }, sink);
  return listed.sort();
}

test('a listing has . and .., which are never looked up', () => {
  expect(names(false)).toEqual(['.', '..', 'file']);
  expect(names(true)).toEqual(['.', '..', 'file']);
});

test('attributes of a file that may be written through a mapping are asked for each time, as long as it is open', () => {
  const { node } = directory.lookup(ROOT, 'file');
  const validity = (): number => directory.attributes(node, undefined).validity;
  expect(validity()).toBeGreaterThan(0);
  const reader = directory.open(node, { flags: constants.O_RDONLY, killSetId: false });
  expect(reader.mayBeMapped).toBe(false);
  expect(validity()).toBeGreaterThan(0);
  const mapper = directory.open(node, { flags: constants.O_RDWR, killSetId: false });
  expect(mapper.mayBeMapped).toBe(true);
  expect(validity()).toBe(0);
  expect(directory.lookup(ROOT, 'file').attributes.validity).toBe(0);
  directory.release(node, reader, undefined);
  expect(validity()).toBe(0);
  directory.release(node, mapper, undefined);
  expect(validity()).toBeGreaterThan(0);
});

test('what a local disk does not break off is not broken off by a signal', () => {
  const { node } = directory.lookup(ROOT, 'file');
  const opened = directory.open(node, { flags: constants.O_RDWR, killSetId: false });
  const waits: Waiting<unknown>[] = [
    directory.sync(opened, false),
    directory.syncDirectory(ROOT, false),
    directory.allocate(opened, 0, 0, 10, CALLER),
    directory.copyRange(opened, 0, opened, 4, 4, CALLER) as Waiting<number>,
  ];
  expect(waits.map(({ interruptible }) => interruptible)).toEqual([false, false, false, false]);
  expect(errands.map(({ call }) => call)).toEqual(['fsync', 'fsync', 'fallocate', 'copy_file_range']);
  directory.release(node, opened, undefined);
});
