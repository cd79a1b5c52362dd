import { expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.js';

it('gives memory again that was given back, and no other', () => {
  const pool = new BufferPool(1000, 2);
  const [first, second, third] = [pool.take(1000), pool.take(501), pool.take(999)];
  expect([first, second, third].map(({ length, buffer }) => [length, buffer.byteLength])).toEqual([
    [1000, 1000],
    [501, 1000],
    [999, 1000],
  ]);
  expect(new Set([first, second, third].map(({ buffer }) => buffer)).size).toBe(3);
  pool.give(second.subarray(7));
  pool.give(first);
  // More than it keeps.
  pool.give(third);
  expect([pool.take(600).buffer, pool.take(600).buffer]).toEqual([first.buffer, second.buffer]);
  expect([first, second, third].map(({ buffer }) => buffer)).not.toContain(pool.take(600).buffer);
});

it('has nothing to do with what is too large or small for it', () => {
  const pool = new BufferPool(1000, 2);
  for (const length of [0, 1, 500, 1001]) {
    const bytes = pool.take(length);
    expect(bytes.length).toBe(length);
    pool.give(bytes);
    pool.give(new Uint8Array(length));
  }
  const shared = Buffer.from(new SharedArrayBuffer(1000));
  pool.give(shared);
  expect(pool.take(1000).buffer).not.toBe(shared.buffer);
});
