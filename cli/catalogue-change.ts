/** Runs `butlerfs catalogue`. */

import { createInterface } from 'node:readline';
import { z } from 'zod';
import { ButlerfsError } from '../common/errors.js';
import { loadConfiguration } from '../mounts/configuration.js';
import { findDirectories } from '../mounts/directories.js';
import { createCatalogueAt, importSource, openCatalogueAt } from '../mounts/shared-writing.js';
import type { WritingSettings } from '../mounts/shared-writing.js';
import type { DatasetName, SharedCatalogue, WriteSummary } from '../registry/shared/contract.js';
import { writeEntries } from '../registry/shared/entries.js';
import { databaseUrl } from '../registry/shared/address.js';
import { interruptSignal } from './exit.js';
import { endProgress, print, remark, showProgress } from './output.js';

/** Bytes of one line of standard input at most. */
const LONGEST_LINE = 1024 * 1024;

export async function create(url: string, { root, universe }: { readonly root: string; readonly universe?: string }): Promise<void> {
  const catalogue = await createCatalogueAt(url, { root, universeFile: universe }, await settings());
  await using(catalogue, async () => {
    const facts = await catalogue.facts();
    await print(`${databaseUrl(catalogue.address)}: files below ${facts.root}, change ${facts.sequence}\n`);
  });
}

export async function importInto(
  url: string,
  source: string,
  { prune = false, json }: { readonly prune?: boolean; readonly json?: boolean },
): Promise<void> {
  const common = await settings();
  const catalogue = await openCatalogueAt(url, common);
  await using(catalogue, async () => {
    const options = { ...common, prune, signal: interruptSignal(), onProgress: showProgress, onWarning: remark };
    await report(await importSource(catalogue, source, options), json);
  });
}

export async function add(url: string, { json }: { readonly json?: boolean }): Promise<void> {
  const catalogue = await openCatalogueAt(url, await settings());
  await using(catalogue, async () => {
    const onProgress = (records: number): void => showProgress(`${records} records`);
    await report(await writeEntries(catalogue, linesOfInput(), { signal: interruptSignal(), onProgress }), json);
  });
}

const nameShape: z.ZodType<DatasetName> = z.strictObject({
  type: z.string(),
  collection: z.string(),
  dataId: z.record(z.string(), z.union([z.string(), z.int()])),
});

export async function remove(
  url: string,
  uuids: readonly string[],
  { collection = [], stdin = false, json }: { readonly collection?: readonly string[]; readonly stdin?: boolean; readonly json?: boolean },
): Promise<void> {
  if (uuids.length + collection.length === 0 && !stdin) {
    throw new ButlerfsError('usage', { what: 'nothing to remove', advice: 'give UUIDs, --collection or --stdin' });
  }
  const names: DatasetName[] = [];
  if (stdin) {
    for await (const entry of linesOfInput()) {
      const parsed = nameShape.safeParse(entry);
      if (!parsed.success)
        throw new ButlerfsError('invalid-value', { what: `line ${names.length + 1}`, why: parsed.error.issues[0]?.message });
      names.push(parsed.data);
    }
  }
  const catalogue = await openCatalogueAt(url, await settings());
  await using(catalogue, async () => {
    await report(await catalogue.remove({ datasets: uuids, names, collections: collection }, { signal: interruptSignal() }), json);
  });
}

async function settings(): Promise<WritingSettings> {
  return { configuration: await loadConfiguration(findDirectories().configurationFiles), warn: remark };
}

async function using(catalogue: SharedCatalogue, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await catalogue.close();
  }
}

/** JSON values, one a line; empty lines are passed over. */
async function* linesOfInput(): AsyncGenerator<unknown, void, undefined> {
  let number = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    number++;
    if (line.trim() === '') continue;
    if (line.length > LONGEST_LINE)
      throw new ButlerfsError('invalid-value', { what: `line ${number}`, why: `it is longer than ${LONGEST_LINE} bytes` });
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new ButlerfsError('invalid-value', { what: `line ${number}`, why: 'it is not JSON', cause });
    }
    yield value;
  }
}

async function report(summary: WriteSummary, json: boolean | undefined): Promise<void> {
  endProgress();
  const { added, changed, unchanged, removed, sequence } = summary;
  const text = `${added} added, ${changed} changed, ${removed} removed, ${unchanged} unchanged; change ${sequence}`;
  await print(`${json === true ? JSON.stringify(summary) : text}\n`);
}
