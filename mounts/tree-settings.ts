/** What a mount serves, from its options and its source. */

import type { DataIdValue } from '../registry/contract.js';
import { openCatalogue } from '../registry/open.js';
import type { MountOptions } from './contract.js';
import { parseDefaults } from './defaults.js';
import type { OpenedSource } from './source.js';
import type { TreeSettings } from './tree-host.js';

/** The settings of the tree over the newest catalogue. Throws where the defaults are none of the repository's. */
export function treeSettingsOf(options: MountOptions, opened: OpenedSource): TreeSettings {
  const { cacheDirectory, verify, collections, calibrations, aliases = {}, flavors } = options;
  const { catalogueFile, digestsFile, remote } = opened;
  return {
    catalogueFile,
    digestsFile,
    cacheDirectory,
    verify,
    repositoryUrl: remote.url,
    collections,
    ...(calibrations === undefined ? {} : { calibrations }),
    defaults: mountDefaults(options, opened),
    aliases,
    ...(flavors === undefined ? {} : { flavors }),
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
  };
}

function mountDefaults(options: MountOptions, opened: OpenedSource): Record<string, DataIdValue> {
  const catalogue = openCatalogue(opened.catalogueFile);
  if (catalogue === undefined) return {};
  try {
    return Object.fromEntries(parseDefaults(catalogue, options.defaults));
  } finally {
    catalogue.close();
  }
}
