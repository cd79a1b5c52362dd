/**
 * Parts of FITS files: one HDU, or a rectangle of its pixels, for the bytes of that part alone.
 *
 * Where the whole file is here it is read from there. Otherwise its headers are read by small ranges, once: they are an object of the cache themselves,
 * pinned like any content without a published digest, and say where in the file each HDU lies. All ranges are of the version that the headers were of. What
 * such a part is cannot be checked against a digest of the whole file; where that is published and the origin turns out to have changed, the whole file is
 * fetched, checked and the part taken from it.
 */

import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { closingBytes } from '../../proxy/body.js';
import { cutoutFile } from '../../sky/fits/cutout.js';
import { inFile } from '../../sky/fits/error.js';
import { formatIndex, parseIndex } from '../../sky/fits/index-text.js';
import { hduFile, type MadeFile } from '../../sky/fits/part.js';
import { type FitsIndex, FitsScan } from '../../sky/fits/scan.js';
import type { FilePart, ObjectRequest, OpenObject, OriginOpener } from '../contract.js';
import { formatDigest } from '../digest.js';
import type { Source, SourceBody } from '../fetch.js';
import { pinName, type Pin } from '../layout.js';
import { type FileBytes, LocalBytes, readBytes, RemoteBytes } from './file-bytes.js';
import { madeBytes } from './made-bytes.js';
import { indexOf, partName, wholeOf } from './request.js';

/** Indexes kept in memory, by the characters of their headers. */
const REMEMBERED_CHARACTERS = 4 * 2 ** 20;

/** What parts need of the cache that they are objects of. */
export interface PartsHost {
  readonly openOrigin: OriginOpener;
  /** Brings content to the disk, as {@link ObjectCache.ensure}. */
  ensure(request: ObjectRequest, signal: AbortSignal, fresh: boolean): Promise<void>;
  openIfPresent(request: ObjectRequest): OpenObject | undefined;
  close(object: OpenObject): void;
  readPin(request: ObjectRequest): Promise<Pin | undefined>;
}

interface Indexed {
  readonly index: FitsIndex;
  readonly validator: string | null;
}

/** A file of which parts are wanted. */
interface OpenFile {
  readonly index: FitsIndex;
  readonly bytes: FileBytes;
  close(): void;
}

export class FitsParts {
  readonly #host: PartsHost;
  readonly #indexes = new LRUCache<string, Indexed>({
    maxSize: REMEMBERED_CHARACTERS,
    sizeCalculation: ({ index }) =>
      index.hdus.reduce((sum, { header }) => header.cards.reduce((length, { text }) => length + text.length, sum), 1),
  });

  constructor(host: PartsHost) {
    this.#host = host;
  }

  /** Brings the part. Its `open` rejects with `unknown-path` (no such HDU), `invalid-value` (a box outside), `unsupported` or `corrupt-repository` too. */
  source(request: ObjectRequest, part: FilePart): Source {
    return {
      name: `${partName(part)} of ${request.origin}`,
      open: (fresh, signal) =>
        part.kind === 'index' ? this.#openIndex(request, fresh, signal) : this.#openPart(request, part, fresh, signal),
    };
  }

  /** Bytes of the part, which need not be here. Rejects as {@link source} does. */
  async size(request: ObjectRequest, part: FilePart, signal: AbortSignal): Promise<number> {
    const file = await this.#openFile(request, false, signal);
    file.close();
    return part.kind === 'index' ? formatIndex(file.index).length : made(request, file.index, part).size;
  }

  async #openPart(
    request: ObjectRequest,
    part: Exclude<FilePart, { kind: 'index' }>,
    fresh: boolean,
    signal: AbortSignal,
  ): Promise<SourceBody> {
    const file = await this.#openFile(request, fresh, signal);
    try {
      const content = made(request, file.index, part);
      return {
        size: content.size,
        validator: file.bytes.validator,
        bytes: closingBytes(madeBytes(content, file.bytes, signal), () => file.close()),
      };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  async #openIndex(request: ObjectRequest, fresh: boolean, signal: AbortSignal): Promise<SourceBody> {
    const bytes = this.#remote(request, { index: { size: null, hdus: [] }, validator: null }, fresh);
    const text = Buffer.from(formatIndex(await scan(request, bytes, signal)), 'latin1');
    return { size: text.length, validator: bytes.validator, bytes: Readable.from([text]) as AsyncIterable<Uint8Array> };
  }

  async #openFile(request: ObjectRequest, fresh: boolean, signal: AbortSignal): Promise<OpenFile> {
    const whole = wholeOf(request);
    const present = this.#host.openIfPresent(whole);
    if (present !== undefined) return await this.#openLocal(request, present, signal);
    // Members of archives are only to be had from the whole archive; what changed at the origin may be right in a whole that can be checked.
    if (request.member !== undefined || (fresh && whole.digest !== undefined)) {
      await this.#host.ensure(whole, signal, fresh);
      const object = this.#host.openIfPresent(whole);
      if (object === undefined) {
        throw new ButlerfsError('cache-full', {
          what: request.origin,
          why: 'it was evicted before it could be read',
          advice: 'make the cache larger',
        });
      }
      return await this.#openLocal(request, object, signal);
    }
    const indexed = await this.#indexOf(request, signal);
    return { index: indexed.index, bytes: this.#remote(request, indexed, fresh), close: () => undefined };
  }

  async #openLocal(request: ObjectRequest, object: OpenObject, signal: AbortSignal): Promise<OpenFile> {
    const key = formatDigest(object.digest);
    const bytes = new LocalBytes(object.fd, object.size);
    try {
      const index = this.#indexes.get(key)?.index ?? (await scan(request, bytes, signal));
      this.#indexes.set(key, { index, validator: null });
      return { index, bytes, close: () => this.#host.close(object) };
    } catch (error) {
      this.#host.close(object);
      throw error;
    }
  }

  #remote({ origin }: ObjectRequest, { index, validator }: Indexed, fresh: boolean): RemoteBytes {
    return new RemoteBytes(this.#host.openOrigin(origin), { name: origin, validator, size: index.size, fresh });
  }

  async #indexOf(request: ObjectRequest, signal: AbortSignal): Promise<Indexed> {
    const wanted = indexOf(request);
    const key = pinName(wanted);
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    const indexed = (await this.#keptIndex(wanted, signal)) ?? (await this.#passingIndex(request, signal));
    this.#indexes.set(key, indexed);
    return indexed;
  }

  /** The index as an object of the cache; undefined where its disk takes nothing. */
  async #keptIndex(wanted: ObjectRequest, signal: AbortSignal): Promise<Indexed | undefined> {
    try {
      await this.#host.ensure(wanted, signal, false);
    } catch (error) {
      const { code } = asButlerfsError(error);
      if (code === 'cache-full' || code === 'cache-failed') return undefined;
      throw error;
    }
    const object = this.#host.openIfPresent(wanted);
    if (object === undefined) return undefined;
    try {
      const text = await readBytes(new LocalBytes(object.fd, object.size), 0, object.size, signal);
      const index = parseIndex(Buffer.from(text).toString('latin1'));
      return index === undefined ? undefined : { index, validator: (await this.#host.readPin(wanted))?.validator ?? null };
    } finally {
      this.#host.close(object);
    }
  }

  async #passingIndex(request: ObjectRequest, signal: AbortSignal): Promise<Indexed> {
    const bytes = this.#remote(request, { index: { size: null, hdus: [] }, validator: null }, false);
    const index = await scan(request, bytes, signal);
    return { index, validator: bytes.validator };
  }
}

function made({ origin }: ObjectRequest, index: FitsIndex, part: Exclude<FilePart, { kind: 'index' }>): MadeFile {
  return inFile(origin, () => (part.kind === 'hdu' ? hduFile(index, part.name) : cutoutFile(index, part.name, part.box)));
}

/** Reads the headers, and nothing else but what lies beside them. */
async function scan({ origin }: ObjectRequest, bytes: FileBytes, signal: AbortSignal): Promise<FitsIndex> {
  const scanning = new FitsScan(bytes.size);
  for (let want = scanning.next(); want !== undefined; want = scanning.next()) {
    const got = await readBytes(bytes, want.offset, want.length, signal);
    inFile(origin, () => scanning.give(got, bytes.size));
  }
  return scanning.index();
}
