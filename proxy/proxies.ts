/** Which proxy a request goes through, as the environment says it: http_proxy, https_proxy, all_proxy and no_proxy, by the rules of curl(1). */

import { BlockList, isIP, isIPv6 } from 'node:net';
import { ButlerfsError } from '../common/errors.js';
import { authorizationOf, takeUserinfo } from './credentials.js';

/** A proxy that HTTP requests are sent through. */
export interface ProxyRoute {
  /** `http://host:port` or `https://host:port`, without credentials: for messages, too. */
  readonly origin: string;
  /** Value of the Proxy-Authorization header. */
  readonly authorization: string | undefined;
  /** Names the variable that it came from, for messages. */
  readonly variable: string;
}

/** The proxy for `url`, or undefined where it is asked directly. Throws `configuration` for a proxy that cannot be used. */
export type ProxyLookup = (url: URL) => ProxyRoute | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment once. The lower-case variable wins over the upper-case one. A program that a web server runs by CGI does not take `HTTP_PROXY`: the
 * server sets it from a header that anybody may send. A variable that is set and empty says: no proxy.
 */
export function proxiesFromEnvironment(environment: Environment = process.env): ProxyLookup {
  const read = (...names: readonly string[]): readonly [string, string] | undefined => {
    const name = names.find((candidate) => environment[candidate] !== undefined);
    return name === undefined ? undefined : [name, environment[name]!.trim()];
  };
  const isCgi = environment['REQUEST_METHOD'] !== undefined;
  const all = read('all_proxy', 'ALL_PROXY');
  const byProtocol = new Map([
    ['http:', (isCgi ? read('http_proxy') : read('http_proxy', 'HTTP_PROXY')) ?? all],
    ['https:', read('https_proxy', 'HTTPS_PROXY') ?? all],
  ]);
  const isDirect = noProxyRule(read('no_proxy', 'NO_PROXY')?.[1] ?? '');
  return (url) => {
    const chosen = byProtocol.get(url.protocol);
    if (chosen === undefined || chosen[1] === '' || isDirect(url.hostname)) return undefined;
    return parseProxy(...chosen);
  };
}

function parseProxy(variable: string, text: string): ProxyRoute {
  // The text may hold a password: no message shows it.
  const wrong = (why: string): ButlerfsError =>
    new ButlerfsError('configuration', {
      what: `the proxy that ${variable} names`,
      why,
      advice: `write ${variable}=http://host:port, or name hosts to reach without it in no_proxy`,
    });
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(written)) throw wrong('it is not a URL');
  const { url, credential } = takeUserinfo(new URL(written));
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong(`proxies that speak '${url.protocol}' cannot be used`);
  // curl's default, where a proxy is given without its port, is 1080; 443 where it is spoken to by TLS.
  const port = /:\d+\/*$/.test(written) ? '' : url.protocol === 'http:' ? ':1080' : '';
  const origin = `${url.origin}${url.port === '' ? port : ''}`;
  return { origin, authorization: credential === undefined ? undefined : authorizationOf(credential), variable };
}

/**
 * Which hosts `no_proxy` names: `*` is every host; a name stands for itself and what is below it, with a leading dot or without; an address is compared as an
 * address, with `/BITS` as a network. Ports are not looked at.
 */
function noProxyRule(text: string): (hostname: string) => boolean {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  if (text.trim() === '*') return () => true;
  const names: string[] = [];
  const networks = new BlockList();
  for (const entry of entries) {
    const [address = '', bits, ...rest] = entry.replace(/^\[(.*)\](\/\d+)?$/, '$1$2').split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) names.push(bare(entry.toLowerCase()));
    else if (bits === undefined) networks.addAddress(address, family);
    else if (rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'ipv6' ? 128 : 32)) {
      networks.addSubnet(address, Number(bits), family);
    }
  }
  return (hostname) => {
    const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
    if (isIP(host) !== 0) return networks.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
    const name = bare(host);
    return names.some((known) => known !== '' && (name === known || name.endsWith(`.${known}`)));
  };
}

function bare(name: string): string {
  return name.replace(/^\./, '').replace(/\.$/, '');
}
