/** Members of zip archives: the archive is an object of its own, fetched once for all of its members. */

import { rm } from 'node:fs/promises';
import { ButlerfsError } from '../common/errors.js';
import { closingBytes } from '../proxy/body.js';
import type { ChunkDigestLookup, ObjectReader, ObjectRequest } from './contract.js';
import type { Source, SourceBody } from './fetch.js';
import { pinName, type Layout } from './layout.js';
import { readPin } from './pins.js';
import { nameOf } from './requests.js';
import { openMember } from './zip.js';

/** The identity under which archives are pinned, whatever members are asked for. */
const ARCHIVE_IDENTITY = 'archive';

export interface ArchiveServices {
  readonly layout: Layout;
  readonly chunkDigests: ChunkDigestLookup | undefined;
  /** Does not hash: for what was just checked. */
  readonly reader: ObjectReader;
  /** Brings an archive here; `fresh`: past whatever gave wrong bytes. */
  ensure(request: ObjectRequest, signal: AbortSignal, fresh: boolean): Promise<void>;
}

export class Archives {
  readonly #services: ArchiveServices;

  constructor(services: ArchiveServices) {
    this.#services = services;
  }

  /** Where the bytes of a member of the archive at the request's origin come from. */
  source(request: ObjectRequest, member: string): Source {
    const published = this.#services.chunkDigests?.(request.origin);
    const archive: ObjectRequest = {
      origin: request.origin,
      identity: ARCHIVE_IDENTITY,
      ...(published === undefined ? {} : { digest: published.whole, size: published.size }),
    };
    return {
      name: nameOf(request),
      open: async (fresh, signal) => {
        if (fresh) await this.#forget(archive);
        await this.#services.ensure(archive, signal, fresh);
        try {
          return await this.#openMember(archive, member, request.size);
        } catch (error) {
          // No digest is published for archives: one that cannot be read may have been damaged on its way.
          if (fresh || !(error instanceof ButlerfsError) || error.code !== 'remote-failed') throw error;
          await this.#forget(archive);
          await this.#services.ensure(archive, signal, true);
          return await this.#openMember(archive, member, request.size);
        }
      },
    };
  }

  async #openMember(archive: ObjectRequest, member: string, size: number | undefined): Promise<SourceBody> {
    const object = this.#services.reader.openIfPresent(archive);
    if (object === undefined) {
      const why = 'the archive was evicted before it could be read';
      throw new ButlerfsError('cache-full', {
        what: archive.origin,
        where: this.#services.layout.directory,
        why,
        advice: 'make the cache larger',
      });
    }
    try {
      const opened = await openMember(object.fd, archive.origin, member, size);
      const bytes = closingBytes(opened.bytes, () => this.#services.reader.close(object));
      return { size: opened.size, validator: null, bytes };
    } catch (error) {
      this.#services.reader.close(object);
      throw error;
    }
  }

  /** Drops an archive that gave a wrong member, with its pin: the members' own digests and pins say what is right. */
  async #forget(archive: ObjectRequest): Promise<void> {
    const pin = await readPin(this.#services.layout, archive).catch(() => undefined);
    await rm(this.#services.layout.pin(pinName(archive)), { force: true });
    if (pin !== undefined) await rm(this.#services.layout.object(pin.digest), { force: true });
  }
}
