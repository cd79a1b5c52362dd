/** A directory of 10,000 files. Making it takes longer than all that is asked of it, so it is made once, and lent to each target. */

import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from '../support/temporary.js';

export const LONG_DIRECTORY = { name: 'long', files: 10_000 } as const;

let place: string | undefined;

/** Moves the directory into another, before that is served. */
export function lend(into: string): void {
  if (place === undefined) {
    place = temporaryDirectory('long');
    const directory = join(place, LONG_DIRECTORY.name);
    mkdirSync(directory);
    for (let i = 0; i < LONG_DIRECTORY.files; i++) writeFileSync(join(directory, String(i).padStart(5, '0')), '');
    mkdirSync(join(directory, 'directory'));
    symlinkSync('x', join(directory, 'link'));
  }
  renameSync(join(place, LONG_DIRECTORY.name), join(into, LONG_DIRECTORY.name));
}

/** Takes it back, when it is served no more. */
export function takeBack(from: string): void {
  if (place !== undefined && existsSync(join(from, LONG_DIRECTORY.name)))
    renameSync(join(from, LONG_DIRECTORY.name), join(place, LONG_DIRECTORY.name));
}

/** After the last target. */
export function removeLongDirectory(): void {
  if (place !== undefined) removeDirectory(place);
  place = undefined;
}
