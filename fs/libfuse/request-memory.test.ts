import { expect, it } from 'vitest';
import { RequestMemory } from './request-memory.js';

it('gives memory that is zeroed, aligned, its own, and side by side', () => {
  const memory = new RequestMemory();
  const given = Array.from({ length: 3000 }, () => memory.allocate(248));
  expect(memory.used).toBe(3000);
  given.forEach((bytes, index) => {
    expect([bytes.length, bytes.byteOffset % 16, bytes[index % 248]]).toEqual([248, 0, 0]);
    bytes.fill(index & 0xff);
  });
  given.forEach((bytes, index) => expect(bytes.equals(Buffer.alloc(248, index & 0xff))).toBe(true));
  expect(new Set(given.map(({ buffer }) => buffer)).size).toBe(3);
});
