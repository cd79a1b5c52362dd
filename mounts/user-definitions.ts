/** The dataset types that the user's configuration defines for one source. */

import { loadConfiguration } from './configuration.js';
import type { Addressed, Configuration } from './configuration.js';
import { parseSource } from './repository.js';
import type { ParsedSource } from './repository.js';
import type { DefinitionSet } from '../registry/definitions/contract.js';

/** What a configuration says of a source: of one name also what is for no repository in particular. */
export function definitionsFor(configuration: Configuration, source: ParsedSource): DefinitionSet {
  const isFor = ({ repository }: Addressed<unknown>): boolean => repository === undefined || isSame(repository, configuration, source);
  const { definitions = [], locations = [] } = configuration;
  return { definitions: definitions.filter(isFor), locations: locations.filter(isFor) };
}

/** Reads the files of a configuration again each time it is asked. */
export function followDefinitions(configuration: Configuration, source: ParsedSource): () => Promise<DefinitionSet> {
  const { files } = configuration;
  return async () => definitionsFor(files === undefined ? configuration : await loadConfiguration(files), source);
}

/** Whether a repository as the configuration names it is the source. */
function isSame(repository: string, configuration: Configuration, { asGiven, repository: other, named }: ParsedSource): boolean {
  if (Object.hasOwn(configuration.sources, repository)) return named !== undefined && asGiven === repository;
  try {
    return parseSource(repository, configuration, '/').repository === other;
  } catch {
    // A directory that is not there, or a URL of a kind that is not read, is another one.
    return false;
  }
}
