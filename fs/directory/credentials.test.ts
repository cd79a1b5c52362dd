import { expect, test } from 'vitest';
import { isMember, supplementaryGroups } from './credentials.js';

test('a caller is a member of its own group, and of no other that its process has not', () => {
  const caller = { uid: 1000, gid: 12345, umask: 0, pid: process.pid };
  expect(isMember(caller, 12345)).toBe(true);
  expect(isMember(caller, 54321)).toBe(false);
  expect(isMember({ ...caller, pid: 0 }, 54321)).toBe(false);
});

test('supplementary groups are read as proc(5) writes them', () => {
  expect(supplementaryGroups('Name:\tcat\nGid:\t5\t5\t5\t5\nGroups:\t4 24 1000 \nNStgid:\t7\n')).toEqual([4, 24, 1000]);
  expect(supplementaryGroups('Groups:\t \n')).toEqual([]);
});
