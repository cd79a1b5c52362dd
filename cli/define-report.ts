/** Runs `butlerfs define`. */

import { join } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { loadConfiguration } from '../mounts/configuration.js';
import { defineType, listDefinitions } from '../mounts/define.js';
import type { DefiningSettings } from '../mounts/define.js';
import { findDirectories } from '../mounts/directories.js';
import type { WrittenDefinition } from '../registry/open.js';
import type { DefineFlags } from './define.js';
import { interruptSignal } from './exit.js';
import { endProgress, Output, print, remark, showProgress } from './output.js';
import { formatTable, printable } from './table.js';

/** Of two words the first is the source; one alone is the type. */
export async function runDefine(first: string | undefined, second: string | undefined, flags: DefineFlags): Promise<void> {
  const type = second ?? first;
  const given = second === undefined ? undefined : first;
  if (type === undefined) throw wrong('no dataset type is named');
  const { user: isUser = false, json } = flags;
  const source = given ?? (isUser ? undefined : '.');
  const outcome = await defineType({ source, type, definition: definitionOf(flags), isUser }, await settings());
  endProgress();
  const text = outcome.isNew ? `${type} is defined in ${outcome.place}` : `${type} is defined already: nothing changed`;
  await print(`${json === true ? JSON.stringify({ type, ...outcome }) : text}\n`);
}

export async function runList(source = '.', further: string | undefined, { json }: DefineFlags): Promise<void> {
  if (further !== undefined) throw wrong(`--list takes a source alone, and not also '${further}'`);
  const { types, locations } = await listDefinitions(source, await settings());
  endProgress();
  const output = new Output();
  if (json === true) {
    for (const { name, dimensions, path = null, storageClass, where } of types) {
      await output.write(`${JSON.stringify({ type: name, dimensions, path, storageClass, where })}\n`);
    }
    for (const { name, path, where } of locations) await output.write(`${JSON.stringify({ location: name, path, where })}\n`);
  } else {
    const rows = types.map(({ name, dimensions, storageClass, path = '', where }) => [
      name,
      dimensions.join(','),
      storageClass,
      path,
      where,
    ]);
    await output.write(
      formatTable(
        ['TYPE', 'DIMENSIONS', 'STORAGE CLASS', 'PATH', 'DEFINED IN'],
        rows.map((row) => row.map(printable)),
      ),
    );
    if (locations.length > 0) {
      const named = locations.map(({ name, path, where }) => [name, path, where].map(printable));
      await output.write(`\n${formatTable(['LOCATION', 'PATH', 'DEFINED IN'], named)}`);
    }
  }
  await output.flush();
}

function definitionOf(flags: DefineFlags): WrittenDefinition {
  const { dimensions, template, name, location, format, storageClass, collection, directory, default: defaults } = flags;
  if (dimensions === undefined)
    throw wrong('--dimensions is missing', "write --dimensions visit,detector; --dimensions '' where there are none");
  if (template === undefined && name === undefined)
    throw wrong('--template is missing', "write --template 'my/{visit:07d}-{detector:03d}.fits'");
  return {
    dimensions: dimensions
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== ''),
    ...given({ template, name, location, format, storageClass, collection, directory }),
    ...(defaults !== undefined && { default: Object.fromEntries(defaults.map(valueOf)) }),
  };
}

function given(flags: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(flags).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function valueOf(text: string): readonly [string, string | number] {
  const equals = text.indexOf('=');
  if (equals <= 0) throw wrong(`--default ${text}`, 'write KEY=VALUE');
  const value = text.slice(equals + 1);
  return [text.slice(0, equals), /^(0|[1-9]\d{0,14})$/.test(value) ? Number(value) : value];
}

function wrong(what: string, advice = 'butlerfs define --help shows how'): ButlerfsError {
  return new ButlerfsError('usage', { what, advice });
}

async function settings(): Promise<DefiningSettings> {
  const { configurationFiles, cache, runtime } = findDirectories();
  const { defaults } = await loadConfiguration(configurationFiles);
  return {
    configurationFiles,
    cacheDirectory: defaults.cache ?? cache,
    lockDirectory: join(runtime, 'locks'),
    signal: interruptSignal(),
    onProgress: showProgress,
    warn: remark,
  };
}
