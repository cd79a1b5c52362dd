/** Listing directories over HTTP: by WebDAV where the origin speaks it, else by the pages that it shows. */

import type { LinkedController } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import type { RemoteEntry } from './contract.js';
import { connectionFailure, UnusableAnswerError } from './errors.js';
import { drop, exchange, type Answer, type ExchangeContext } from './http-exchange.js';
import { header } from './http-headers.js';
import { htmlListing, webdavListing, type ListingReader } from './listing.js';
import { guardProgress } from './progress.js';

/** Bytes of a listing, at most: about a million entries. */
const LONGEST_LISTING = 256 * 2 ** 20;

/** Statuses by which an origin says that it does not speak WebDAV; 207 says that it does, and anything else leaves it open. */
const NO_WEBDAV: readonly number[] = [400, 405, 415, 501];

const PROPFIND_BODY = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>`;

/** How one origin lists directories: asked once, with the first of them. */
export class HttpDirectories {
  readonly #context: ExchangeContext;
  #kind: 'webdav' | 'html' | false | null = null;
  /** Whether the origin has said that it does not speak WebDAV. */
  #hasNoWebdav = false;

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  /** `false` where the origin showed that it lists none; null before it was asked. */
  get kind(): 'webdav' | 'html' | false | null {
    return this.#kind;
  }

  /** Entries of the directory at `url`, which ends with a slash. */
  async list(url: string, control: LinkedController): Promise<readonly RemoteEntry[]> {
    return (this.#hasNoWebdav ? undefined : await this.#byWebdav(url, control)) ?? (await this.#byPage(url, control));
  }

  async #byWebdav(url: string, control: LinkedController): Promise<readonly RemoteEntry[] | undefined> {
    const headers = { depth: '1', 'content-type': 'application/xml; charset=utf-8' };
    const accept = [...NO_WEBDAV, 401, 403, 404, 500];
    const answer = await exchange(this.#context, url, { method: 'PROPFIND', headers, body: PROPFIND_BODY, accept }, control);
    if (answer.status !== 207) {
      drop(answer, this.#context.idleTimeout);
      if (this.#kind !== 'webdav') this.#hasNoWebdav = NO_WEBDAV.includes(answer.status) || answer.status < 300;
      // What is wrong with the directory, a plain request says as well.
      return undefined;
    }
    const entries = await this.#read(url, answer, webdavListing(answer.url), control);
    if (entries === undefined)
      throw new UnusableAnswerError({ what: `listing ${url}`, why: 'the WebDAV answer of the origin is not whole' });
    this.#kind = 'webdav';
    return entries;
  }

  async #byPage(url: string, control: LinkedController): Promise<readonly RemoteEntry[]> {
    const headers = { accept: 'text/html', 'accept-encoding': 'identity' };
    const answer = await exchange(this.#context, url, { method: 'GET', headers, accept: [403] }, control);
    const type = header(answer.headers, 'content-type') ?? '';
    const isPage = answer.status !== 403 && /^(text\/html|application\/xhtml\+xml)\b/i.test(type);
    if (!isPage) drop(answer, this.#context.idleTimeout);
    if (answer.status === 403) throw this.#unlisted(url, 'the origin answers 403 to the URL of a directory');
    if (!isPage) throw this.#unlisted(url, `the origin answers with '${type}', not with a page`);
    const entries = await this.#read(url, answer, htmlListing(answer.url), control);
    if (entries === undefined) throw this.#unlisted(url, 'the origin shows a page of its own, not a listing');
    this.#kind = 'html';
    return entries;
  }

  #unlisted(url: string, why: string): ButlerfsError {
    this.#kind ??= false;
    return new ButlerfsError('unsupported', {
      what: `listing ${url}`,
      why,
      advice: 'directories can be listed where the server has autoindex, mod_autoindex or WebDAV switched on',
    });
  }

  async #read(url: string, answer: Answer, reader: ListingReader, control: LinkedController): Promise<readonly RemoteEntry[] | undefined> {
    const encoding = header(answer.headers, 'content-encoding') ?? 'identity';
    if (encoding !== 'identity') {
      drop(answer, this.#context.idleTimeout);
      throw new UnusableAnswerError({ what: `listing ${url}`, why: `the origin sends it as ${encoding}, which was not asked for` });
    }
    const stop = (): void => {
      control.abort();
      answer.body.destroy();
    };
    answer.body.on('error', () => undefined);
    const decoder = new TextDecoder();
    let received = 0;
    try {
      for await (const chunk of guardProgress(answer.body, { idleTimeout: this.#context.idleTimeout, where: url, onIdle: stop })) {
        received += chunk.length;
        if (received > LONGEST_LISTING) {
          throw new UnusableAnswerError({ what: `listing ${url}`, why: `it is larger than ${LONGEST_LISTING} bytes` });
        }
        reader.write(decoder.decode(chunk, { stream: true }));
      }
    } catch (error) {
      stop();
      if (error instanceof ButlerfsError) throw error;
      const why = `${connectionFailure(error)}, after ${received} bytes`;
      throw new ButlerfsError('remote-failed', { what: `listing ${url}`, why, cause: error });
    }
    reader.write(decoder.decode());
    return reader.end();
  }
}
