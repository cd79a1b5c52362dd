/** `butlerfs cache ls` and `butlerfs cache stats` */

import { listCache, totalsOnDisk, type Listed } from '../cache/manage.js';
import { readScrubState } from '../cache/scrub-schedule.js';
import { formatSize } from '../mounts/units.js';
import { mountsOn, openCacheDirectory } from './cache-target.js';
import { Output, print } from './output.js';
import { printable } from './table.js';

interface Flags {
  readonly cache?: string;
  readonly json?: boolean;
}

/** Unsorted it needs no memory, however much there is. */
export async function list({ cache, json, sort }: Flags & { readonly sort?: 'used' | 'size' }): Promise<void> {
  const layout = await openCacheDirectory(cache);
  const output = new Output();
  const write = json === true ? jsonOf : lineOf;
  if (sort === undefined) {
    for await (const found of listCache(layout)) await output.write(write(found));
  } else {
    const all: Listed[] = [];
    for await (const found of listCache(layout)) all.push(found);
    all.sort(sort === 'size' ? (a, b) => b.size - a.size : (a, b) => b.touched - a.touched);
    for (const found of all) await output.write(write(found));
  }
  await output.flush();
}

function jsonOf({ kind, name, size, touched, origin, keptFor }: Listed): string {
  return `${JSON.stringify({ kind, ...(kind === 'object' ? { digest: name } : { name }), size, used: touched, origin, keptFor })}\n`;
}

function lineOf({ kind, name, size, touched, origin, keptFor }: Listed): string {
  const used = new Date(touched).toISOString().replace(/\.\d+Z$/, 'Z');
  const state = kind === 'partial' ? 'part' : keptFor.length > 0 ? 'kept' : '';
  return `${formatSize(size).padStart(9)}  ${used}  ${state.padEnd(4)}  ${printable(origin ?? name)}\n`;
}

export async function statistics({ cache, json }: Flags): Promise<void> {
  const layout = await openCacheDirectory(cache);
  const [totals, scrub, mounts] = await Promise.all([totalsOnDisk(layout), readScrubState(layout), mountsOn(layout)]);
  const mountPoints = mounts.map(({ mountPoint }) => mountPoint);
  if (json === true) return await print(`${JSON.stringify({ ...totals, scrubbed: scrub?.last ?? null, mounts: mountPoints })}\n`);
  const { objects, objectBytes, partial, partialBytes, kept, keptBytes, keptMissing, quarantined, free, defaultFloor } = totals;
  const missing = keptMissing === 0 ? '' : `, ${keptMissing} more are not here`;
  const last = scrub?.last;
  const facts: (readonly [string, string])[] = [
    ['directory', totals.directory],
    ['files', `${objects} (${formatSize(objectBytes)}), parts of ${partial} more (${formatSize(partialBytes)})`],
    ['kept', `${kept} (${formatSize(keptBytes)})${missing}`],
    ['damaged', `${quarantined} set aside`],
    ['disk', free === null ? 'does not answer' : `${formatSize(free)} free, ${formatSize(defaultFloor ?? 0)} stay free by default`],
    ['scrubbed', last == null ? 'never' : `${new Date(last.at).toISOString()}: ${last.objects} files, ${last.damaged} damaged`],
    ['mounts', mountPoints.join(', ') || 'none'],
  ];
  await print(facts.map(([name, text]) => `${`${name}:`.padEnd(11)}${printable(text)}\n`).join(''));
}
