/** The published digests of a source, as the cache asks for them: always of the newest version. */

import type { ChunkDigestLookup } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
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

/** The outcome of work on published content; where that is wrong, the error says what there is to do about it. */
export async function advisingToPublish<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ButlerfsError) || (error.code !== 'wrong-digest' && error.code !== 'wrong-size')) throw error;
    const advice = 'it was damaged, or changed after it was published: whoever keeps the repository restores it, or publishes again';
    throw new ButlerfsError(error.code, { ...error.detail, advice, cause: error });
  }
}
