/** Directories as web servers show them: pages of nginx, Apache, lighttpd and Python's http.server, and multi-status answers of WebDAV. */

import { Parser } from 'htmlparser2';
import type { RemoteEntry } from './contract.js';

/** Takes in a listing piece by piece. */
export interface ListingReader {
  write(text: string): void;
  /** Entries sorted by name, or undefined where it was no listing. */
  end(): readonly RemoteEntry[] | undefined;
}

/** `directory`: the URL of the directory that is listed, with a trailing slash. */
export function htmlListing(directory: URL): ListingReader {
  const entries = new Entries(directory);
  let heading = '';
  let isHeading = false;
  let base = directory;
  let link: { readonly href: string; readonly base: URL; tail: string; isOpen: boolean } | undefined;
  const finish = (): void => {
    if (link !== undefined) entries.addLink(link.href, link.base, link.tail);
    link = undefined;
  };
  const parser = new Parser({
    onopentag(name, attributes) {
      if (name === 'title' || name === 'h1') isHeading = true;
      else if (name === 'base' && attributes['href'] !== undefined && URL.canParse(attributes['href'], directory.href)) {
        base = new URL(attributes['href'], directory);
      } else if (name === 'a') {
        finish();
        if (attributes['href'] !== undefined) link = { href: attributes['href'], base, tail: '', isOpen: true };
      }
    },
    ontext(text) {
      if (isHeading) heading += text;
      else if (link !== undefined && !link.isOpen && link.tail.length < LONGEST_TAIL) link.tail += text;
    },
    onclosetag(name) {
      if (name === 'title' || name === 'h1') {
        isHeading = false;
        heading += '\n';
      } else if (link !== undefined) {
        if (name === 'a') link.isOpen = false;
        link.tail += ' ';
      }
    },
  });
  return {
    write: (text) => parser.write(text),
    end: () => {
      parser.end();
      finish();
      return /^\s*(index of|directory listing for)\b/im.test(heading) ? entries.sorted() : undefined;
    },
  };
}

/** A page of 1 KiB behind a link says nothing of the link. */
const LONGEST_TAIL = 256;

/** `directory`: as for {@link htmlListing}. The answer is one to PROPFIND with Depth 1 (RFC 4918). */
export function webdavListing(directory: URL): ListingReader {
  const entries = new Entries(directory);
  const names = new Namespaces();
  /** Whether the whole answer was seen; one that breaks off would lack entries. */
  let isWhole = false;
  let path: string[] = [];
  let text = '';
  let response: DavResponse | undefined;
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        const element = names.open(name, attributes);
        path.push(element);
        text = '';
        if (element === 'response') response = { href: '', facts: {}, found: {} };
        else if (element === 'propstat' && response !== undefined) response.found = {};
        else if (element === 'collection' && path.at(-2) === 'resourcetype' && response !== undefined) response.found.isCollection = true;
      },
      ontext(more) {
        text += more;
      },
      onclosetag(_, isImplied) {
        const element = path.at(-1);
        const parent = path.at(-2);
        path = path.slice(0, -1);
        names.close();
        if (element === 'multistatus' && path.length === 0 && !isImplied) isWhole = true;
        if (response === undefined) return;
        if (element === 'href' && parent === 'response') response.href = text.trim();
        else if (parent === 'prop' && element === 'getcontentlength') response.found.length = text.trim();
        else if (parent === 'prop' && element === 'getlastmodified') response.found.modified = text.trim();
        else if (parent === 'propstat' && element === 'status') response.status = text.trim();
        else if (element === 'propstat' && isGood(response.status)) Object.assign(response.facts, response.found);
        else if (element === 'response') {
          const { href, facts } = response;
          response = undefined;
          const modified = facts.modified === undefined ? NaN : Date.parse(facts.modified);
          entries.add(href, directory, {
            isDirectory: facts.isCollection === true,
            size: /^\d{1,15}$/.test(facts.length ?? '') ? Number(facts.length) : null,
            modified: Number.isNaN(modified) ? null : modified,
          });
        }
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  return {
    write: (more) => parser.write(more),
    end: () => {
      parser.end();
      return isWhole ? entries.sorted() : undefined;
    },
  };
}

interface DavFacts {
  isCollection?: boolean;
  length?: string;
  modified?: string;
}

interface DavResponse {
  href: string;
  status?: string;
  readonly facts: DavFacts;
  found: DavFacts;
}

function isGood(status: string | undefined): boolean {
  return status !== undefined && /^HTTP\/\S+\s+2\d\d\b/i.test(status);
}

/** Local names of elements of the namespace `DAV:`; others have the name ''. */
class Namespaces {
  readonly #scopes: ReadonlyMap<string, string>[] = [new Map()];

  open(name: string, attributes: Readonly<Record<string, string>>): string {
    const scope = new Map(this.#scopes.at(-1));
    for (const [key, value] of Object.entries(attributes)) {
      if (key === 'xmlns') scope.set('', value);
      else if (key.startsWith('xmlns:')) scope.set(key.slice('xmlns:'.length), value);
    }
    this.#scopes.push(scope);
    const colon = name.indexOf(':');
    return scope.get(name.slice(0, Math.max(0, colon))) === 'DAV:' ? name.slice(colon + 1) : '';
  }

  close(): void {
    this.#scopes.pop();
  }
}

interface EntryFacts {
  readonly isDirectory: boolean;
  readonly size: number | null;
  readonly modified: number | null;
}

/** Entries by name. */
class Entries {
  readonly #directory: URL;
  readonly #entries = new Map<string, RemoteEntry>();

  constructor(directory: URL) {
    this.#directory = directory;
  }

  /** A link of a page, with the text behind it up to the next one. */
  addLink(href: string, base: URL, tail: string): void {
    // Orders of the listing (`?C=M;O=A`) and places within it.
    if (/^\s*[?#]/.test(href)) return;
    this.add(href, base, { isDirectory: false, ...factsOf(tail) });
  }

  /** Takes the entry in where `href`, seen from `base`, names something directly within the directory; a trailing slash makes it a directory. */
  add(href: string, base: URL, facts: EntryFacts): void {
    const component = componentOf(href, base, this.#directory);
    if (component === undefined) return;
    const isDirectory = facts.isDirectory || component.endsWith('/');
    const name = decodeComponent(component.replace(/\/$/, ''));
    if (name === undefined) return;
    const known = this.#entries.get(name);
    this.#entries.set(name, {
      name,
      kind: isDirectory || known?.kind === 'directory' ? 'directory' : 'file',
      size: isDirectory ? null : (facts.size ?? known?.size ?? null),
      modified: facts.modified ?? known?.modified ?? null,
    });
  }

  sorted(): RemoteEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** What remains of the link below `directory`: one component as it is written, perhaps with a trailing slash. */
function componentOf(href: string, base: URL, directory: URL): string | undefined {
  const written = href.trim();
  let rest: string | undefined;
  // A plain name is taken as it stands: a URL parser would make a slash of a backslash, and lose tabs.
  if (base.href === directory.href && !/^([a-z][a-z0-9+.-]*:|\/|\.\.?(\/|$))/i.test(written)) rest = written;
  else if (base.href === directory.href && written.startsWith('./')) rest = written.slice(2);
  else if (URL.canParse(written, base.href)) {
    const url = new URL(written, base);
    if (url.origin !== directory.origin || url.search !== '') return undefined;
    const [own, other] = [unescaped(directory.pathname), unescaped(url.pathname)];
    if (other.startsWith(own)) rest = other.slice(own.length);
  }
  return rest !== undefined && /^[^/?#]+\/?$/.test(rest) ? rest : undefined;
}

/** The path with every byte that needs no escape written plainly, so that two spellings of one path are equal; `/` and `%` stay escaped. */
function unescaped(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9\-._~!$&'()*+,;=:@]/.test(character) ? character : escape.toUpperCase();
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeComponent(text: string): string | undefined {
  // A percent sign that escapes nothing stands for itself, as servers of old write it.
  const bytes = Buffer.from(
    text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => `\0${hex}`),
    'utf8',
  );
  const decoded: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte !== 0) decoded.push(byte);
    else {
      decoded.push(parseInt(bytes.toString('latin1', at + 1, at + 3), 16));
      at += 2;
    }
  }
  try {
    const name = utf8.decode(Uint8Array.from(decoded));
    return name === '' || name === '.' || name === '..' || /[/\0]/.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * Time and size from the text behind a link: `24-Nov-2026 10:00  1234`. Only whole numbers are sizes; `1.2M` is not exact. Only nginx's times are times:
 * it writes them in UTC, where Apache and lighttpd write them by a clock that the page does not name.
 */
function factsOf(tail: string): { readonly size: number | null; readonly modified: number | null } {
  const match =
    /^\s*(?:(\d\d)-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d)|\d{4}-(?:\d\d|[A-Z][a-z]{2})-\d\d \d\d:\d\d(?::\d\d)?)\s+(\d{1,15})(?:\s|$)/.exec(
      tail,
    ) ?? /^\s*(\d\d)-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d)\s/.exec(tail);
  if (match === null) return { size: null, modified: null };
  const [, day, monthName = '', year, hour, minute, size] = match;
  const month = MONTHS.indexOf(monthName);
  return {
    size: size === undefined ? null : Number(size),
    modified: month < 0 ? null : Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute)),
  };
}
