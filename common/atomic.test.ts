import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileAtomically, writeFileAtomically } from './atomic.js';

describe('files that appear whole', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'butlerfs-atomic-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('writing replaces the content and leaves no temporary file', async () => {
    const target = join(directory, 'a');
    writeFileSync(target, 'old');
    await writeFileAtomically(target, 'new');
    expect(readFileSync(target, 'utf8')).toBe('new');
    expect(readdirSync(directory)).toEqual(['a']);
  });

  it('of many that create one file exactly one wins, and its content is whole', async () => {
    const target = join(directory, 'b');
    const contents = Array.from({ length: 12 }, (_, i) => `${i}`.repeat(10_000));
    const won = await Promise.all(contents.map((content) => createFileAtomically(target, content)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(readFileSync(target, 'utf8')).toBe(contents[won.indexOf(true)]);
    expect(readdirSync(directory)).toEqual(['b']);
  });

  it('a target that cannot be written leaves nothing behind', async () => {
    writeFileSync(join(directory, 'file'), '');
    await expect(writeFileAtomically(directory, 'x')).rejects.toThrow();
    await expect(createFileAtomically(join(directory, 'file', 'below'), 'x')).rejects.toThrow();
    expect(readdirSync(directory)).toEqual(['file']);
  });
});
