/** Catalogues that a database server keeps. */

import { createHash } from 'node:crypto';
import { ButlerfsError } from '../../common/errors.js';
import { factsOf } from '../shared-origin.js';
import type { FoundRepository, RepositoryFormat } from './contract.js';

export const shared: RepositoryFormat = {
  name: 'native',
  async find({ catalogue: origin }, signal): Promise<FoundRepository | undefined> {
    if (origin === undefined) return undefined;
    const { identity, root, sequence, universe } = await factsOf(origin, signal);
    if (universe === null) {
      throw new ButlerfsError('not-a-repository', {
        what: 'the catalogue',
        where: origin.url,
        why: 'nothing was written into it yet',
        advice: `import a repository: butlerfs catalogue import ${origin.url} SOURCE`,
      });
    }
    const validator = `${identity} ${sequence}`;
    return {
      configurationDigest: createHash('sha256')
        .update(JSON.stringify([identity, root]))
        .digest('hex'),
      validator,
      root,
      // What is read may be newer: then the next look finds another validator, and nothing is missed.
      prepare: () => Promise.resolve({ reading: { format: 'native', access: origin.access }, validator, copies: {} }),
    };
  },
};
