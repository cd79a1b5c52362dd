/** Small Gen2 repositories, and catalogues of them made without a mount. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gen2 } from '../../mounts/formats/gen2.js';
import { openRemote } from '../../proxy/assemble.js';
import type { Remote } from '../../proxy/contract.js';
import type { Catalogue } from '../../registry/contract.js';
import { buildCatalogueFrom, openCatalogue } from '../../registry/open.js';
import { openRepository } from '../../registry/reading.js';

export const hscMapper = 'lsst.obs.hsc.hscMapper.HscMapper\n';

/** Writes files below a directory, by path; directories that are missing are made. */
export function writeFiles(root: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

export interface Indexed {
  readonly catalogue: Catalogue;
  readonly validator: string | null;
  readonly progress: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Finds, walks and reads the repository at a directory or URL, as a mount does; a remote is closed. `place` keeps what was listed, and the catalogue, whose number is `version`.
 */
export async function indexGen2(
  source: string | Remote,
  place: string,
  {
    version = 1,
    signal = new AbortController().signal,
    templateFile,
  }: { version?: number; signal?: AbortSignal; templateFile?: string } = {},
): Promise<Indexed> {
  const remote = typeof source === 'string' ? openRemote(source) : source;
  const repository = typeof source === 'string' ? source : source.url;
  const progress: string[] = [];
  const warnings: string[] = [];
  try {
    const origin = { remote, directory: repository.startsWith('/') ? repository : undefined, templateFile };
    const found = await gen2.find(origin, signal);
    if (found === undefined) throw new Error(`${repository} is no Gen2 repository`);
    const { reading, validator } = await found.prepare({
      origin,
      file: (what, extension) => join(place, `${what}-${version}.${extension}`),
      kept: (what, extension) => join(place, `${what}.${extension}`),
      signal,
      onProgress: (line) => progress.push(line),
    });
    const target = join(place, `catalogue-${version}.sqlite3`);
    const reader = await openRepository(reading, { repository, onWarning: (message) => warnings.push(message) });
    try {
      await buildCatalogueFrom({ reader, target, repository, validator, version });
    } finally {
      await reader.close();
    }
    return { catalogue: openCatalogue(target)!, validator, progress, warnings };
  } finally {
    await remote.close();
  }
}
