import { describe, expect, it } from 'vitest';
import { proxiesFromEnvironment } from './proxies.js';

function proxyFor(url: string, environment: Record<string, string>): string | undefined {
  return proxiesFromEnvironment(environment)(new URL(url))?.origin;
}

describe('proxies from the environment', () => {
  it('are those of the scheme, else the one for all; lower case wins', () => {
    const environment = { http_proxy: 'http://p1:3128', HTTPS_PROXY: 'p2:3128', all_proxy: 'https://p3', HTTP_PROXY: 'http://no:1' };
    expect(proxyFor('http://a/', environment)).toBe('http://p1:3128');
    expect(proxyFor('https://a/', environment)).toBe('http://p2:3128');
    expect(proxyFor('https://a/', { ALL_PROXY: 'https://p3/' })).toBe('https://p3');
    expect(proxyFor('https://a/', { https_proxy: '', all_proxy: 'http://p' })).toBeUndefined();
    expect(proxyFor('http://a/', { http_proxy: 'http://p' })).toBe('http://p:1080');
    expect(proxyFor('http://a/', { http_proxy: 'http://p:80' })).toBe('http://p');
    expect(proxyFor('http://a/', { HTTP_PROXY: 'http://p:1' })).toBe('http://p:1');
    expect(proxyFor('http://a/', { HTTP_PROXY: 'http://p:1', REQUEST_METHOD: 'GET' })).toBeUndefined();
    expect(proxyFor('http://a/', {})).toBeUndefined();
  });

  it.each<[string, string, boolean]>([
    ['*', 'http://anything/', true],
    ['example.org', 'https://example.org/', true],
    ['example.org', 'https://data.Example.ORG/', true],
    ['.example.org', 'https://data.example.org/', true],
    ['.example.org', 'https://example.org/', true],
    ['example.org.', 'https://example.org/', true],
    ['example.org', 'https://badexample.org/', false],
    ['a, example.org', 'https://example.org:8443/', true],
    ['a b', 'http://b/', true],
    ['127.0.0.1', 'http://127.0.0.1:8080/', true],
    ['127.0.0.1', 'http://127.0.0.10/', false],
    ['192.168.0.0/16', 'http://192.168.7.1/', true],
    ['192.168.0.0/16', 'http://192.169.7.1/', false],
    ['192.168.0.0/99', 'http://192.168.0.0/', false],
    ['::1', 'http://[::1]/', true],
    ['[::1]', 'http://[::1]:80/', true],
    ['fd00::/8', 'http://[fd12::3]/', true],
    ['fd00::/8', 'http://[fe12::3]/', false],
    ['', 'http://a/', false],
    ['.', 'http://a/', false],
  ])('no_proxy %j, %s: directly is %s', (rule, url, isDirect) => {
    expect(proxyFor(url, { all_proxy: 'http://p:1', no_proxy: rule }) === undefined).toBe(isDirect);
    expect(proxyFor(url, { all_proxy: 'http://p:1', NO_PROXY: rule }) === undefined).toBe(isDirect);
  });

  it('keep their credentials to themselves', () => {
    const route = proxiesFromEnvironment({ all_proxy: 'http://me:p%40ss@p:1' })(new URL('http://a/'));
    expect(route).toEqual({ origin: 'http://p:1', authorization: `Basic ${btoa('me:p@ss')}`, variable: 'all_proxy' });
    for (const proxy of ['socks5://me:s3cret@p:1', 'http://me:s3cret@p:port']) {
      const fails = expect(() => proxyFor('http://a/', { https_proxy: '', all_proxy: proxy }));
      fails.toThrow(expect.objectContaining({ code: 'configuration', message: expect.not.stringContaining('s3cret') as string }) as Error);
      fails.toThrow(/all_proxy/);
    }
  });
});
