/** Answers that do not hold the bytes of the object, though their status says so. */

import { UnusableAnswerError } from './errors.js';
import type { Answer } from './http-exchange.js';
import { header } from './http-headers.js';

/** Endings of names whose bytes are compressed themselves, by the content coding that a server may take them for. */
const ENDINGS: Readonly<Record<string, RegExp>> = {
  gzip: /\.(gz|tgz|fz|svgz)$/i,
  compress: /\.(Z|taz)$/,
  bzip2: /\.(bz2|tbz2?)$/i,
  xz: /\.(xz|txz)$/i,
  zstd: /\.(zst|tzst)$/i,
  br: /\.br$/i,
  deflate: /\.zz$/i,
};

/**
 * Throws where the answer is compressed though it was asked for as it is, and where it is a web page that a redirect led to. A server that marks `x.fits.gz`
 * with a Content-Encoding sends that file as it is: its bytes are the object.
 */
export function refuseOtherContent(url: string, answer: Answer): void {
  if (answer.status !== 200 && answer.status !== 206) return;
  const coding = (header(answer.headers, 'content-encoding') ?? 'identity').trim().toLowerCase();
  if (coding !== 'identity' && coding !== '' && ENDINGS[coding.replace(/^x-/, '')]?.test(new URL(url).pathname) !== true) {
    throw new UnusableAnswerError({
      what: `asking for ${url}`,
      why: `the origin, or a proxy on the way, sends it compressed (Content-Encoding: ${printable(coding)}) though it was asked for it as it is`,
      advice: 'switch compression off for these files there (nginx: gzip off; Apache: SetEnv no-gzip 1)',
    });
  }
  const asked = new URL(url);
  const isElsewhere = answer.url.origin !== asked.origin || answer.url.pathname !== asked.pathname;
  if (isElsewhere && isWebPage(url, answer)) throw webPage(url, answer.url);
}

/** Whether the answer is a web page, and the object that was asked for is none. */
export function isWebPage(url: string, { status, headers }: Answer): boolean {
  if (status !== 200 || !/^(text\/html|application\/xhtml\+xml)\b/i.test(header(headers, 'content-type')?.trim() ?? '')) return false;
  return !/\.(x?html?|shtml)$/i.test(new URL(url).pathname);
}

export function webPage(url: string, from: URL, cause?: unknown): UnusableAnswerError {
  const place = from.href === url ? '' : ` from ${from.origin}${from.pathname}`;
  return new UnusableAnswerError({
    what: `asking for ${url}`,
    why: `the origin sends a web page in place of the data${place}, such as a page to log in`,
    advice: 'give credentials for its host in netrc or in the configuration, or open the URL in a browser to see what it wants',
    cause,
  });
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 40);
}
