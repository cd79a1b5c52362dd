/** The published digests of a source, as the cache asks for them: always of the newest version. */

import type { ChunkDigestLookup } from '../../cache/contract.js';
import { decodeUrlPath } from '../../proxy/paths.js';
import { DigestsFile } from './digests-file.js';

export class PublishedContents {
  readonly #repositoryUrl: string;
  #digests: DigestsFile;

  /** `repositoryUrl` as its remote gives it. The caller closes this. */
  constructor(repositoryUrl: string, digestsFile: string) {
    this.#repositoryUrl = repositoryUrl;
    this.#digests = new DigestsFile(digestsFile);
  }

  readonly lookup: ChunkDigestLookup = (origin) => this.#digests.chunks(this.#locationOf(origin));

  /** Goes over to those of another version. What {@link lookup} gave stays good. */
  replace(digestsFile: string): void {
    const next = new DigestsFile(digestsFile);
    this.#digests.close();
    this.#digests = next;
  }

  close(): void {
    this.#digests.close();
  }

  /** As the catalogue records it. */
  #locationOf(origin: string): string {
    const root = `${this.#repositoryUrl}/`;
    return origin.startsWith(root) ? decodeUrlPath(origin.slice(root.length)) : origin;
  }
}
