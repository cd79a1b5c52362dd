import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Authorizer } from './authorize.js';
import { digestAuthorization, digestChallenge, parseChallenges, type DigestChallenge } from './digest.js';

function challengeOf(text: string): DigestChallenge {
  const challenge = digestChallenge(parseChallenges(text));
  if (challenge === undefined) throw new Error(`no challenge in ${text}`);
  return challenge;
}

function field(header: string, name: string): string | undefined {
  return new RegExp(`(?:^|[ ,])${name.replace('*', '\\*')}="?([^",]*)`).exec(header)?.[1];
}

describe('Digest', () => {
  const request = { method: 'GET', uri: '/dir/index.html', username: 'Mufasa', password: 'Circle of Life', count: 1 };
  const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
  const rfc = (algorithm: string): string =>
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';

  it.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('answers as RFC 7616, 3.9.1, does: %s', (algorithm, response) => {
    expect(digestAuthorization(challengeOf(rfc(algorithm)), { ...request, cnonce })).toBe(
      `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ` +
        `response="${response}", algorithm=${algorithm}, nc=00000001, qop=auth, cnonce="${cnonce}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
    );
  });

  it('answers as RFC 7616, 3.9.2, does, as corrected by its erratum 4897: SHA-512-256, with the hash of a name in UTF-8', () => {
    const challenge = challengeOf(
      'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", ' +
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true',
    );
    const header = digestAuthorization(challenge, {
      ...{ method: 'GET', uri: '/doe.json', username: 'Jäsøn Doe', password: 'Secret, or not?', count: 1 },
      cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v',
    });
    expect(field(header, 'username')).toBe('793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b');
    expect(field(header, 'response')).toBe('3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5');
    expect(header).toContain('userhash=true');
  });

  it('answers as RFC 2617, 3.5, does, and as RFC 2069 does where no qop is offered', () => {
    const old = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"';
    const with2617 = digestAuthorization(challengeOf(`${old}, qop=auth`), { ...request, password: 'Circle Of Life', cnonce: '0a4f113b' });
    expect(field(with2617, 'response')).toBe('6629fae49393a05397450978507c4ef1');
    const with2069 = digestAuthorization(challengeOf(old), { ...request, password: 'CircleOfLife' });
    expect(field(with2069, 'response')).toBe('1949323746fe6a43ef61f9606e7febea');
    expect(with2069).not.toMatch(/nc=|cnonce=|qop=|algorithm=/);
  });

  it('a session key takes the nonces in', () => {
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const header = digestAuthorization(challengeOf('Digest realm="r", nonce="n", qop="auth", algorithm=MD5-sess'), {
      ...{ method: 'HEAD', uri: '/x', username: 'me', password: 'pw', count: 10, cnonce: 'c' },
    });
    const key = md5(`${md5('me:r:pw')}:n:c`);
    expect(field(header, 'response')).toBe(md5(`${key}:n:0000000a:c:auth:${md5('HEAD:/x')}`));
    expect(field(header, 'algorithm')).toBe('MD5-sess');
  });

  it('writes names that are not ASCII, or hold quotes, so that they arrive', () => {
    const answer = (challenge: string, username: string): string =>
      digestAuthorization(challengeOf(`Digest realm="a\\"b", nonce="n", qop="auth"${challenge}`), { ...request, username });
    expect(answer(', charset=UTF-8', 'Jäsøn (D*)')).toContain("username*=UTF-8''J%C3%A4s%C3%B8n%20%28D%2a%29,");
    expect(answer('', 'a"\\b')).toContain('username="a\\"\\\\b", realm="a\\"b"');
    expect(Buffer.from(/username="(.*?)"/.exec(answer('', 'ü'))![1]!, 'latin1').toString('utf8')).toBe('ü');
  });
});

describe('challenges', () => {
  it('are read as they are written in the wild', () => {
    expect(parseChallenges('Negotiate abc==, NTLM,Basic realm="a, b=\\"c\\"", Digest realm=x , nonce = "n",qop="auth"')).toEqual([
      { scheme: 'negotiate', parameters: new Map() },
      { scheme: 'ntlm', parameters: new Map() },
      { scheme: 'basic', parameters: new Map([['realm', 'a, b="c"']]) },
      {
        scheme: 'digest',
        parameters: new Map([
          ['realm', 'x'],
          ['nonce', 'n'],
          ['qop', 'auth'],
        ]),
      },
    ]);
    for (const text of ['', ',,', '"', 'Basic realm="open', '=x', 'a=b', 'Digest realm='])
      expect(() => parseChallenges(text)).not.toThrow();
  });

  it('that cannot be answered are passed by', () => {
    const first = (text: string): string | null | undefined => digestChallenge(parseChallenges(text))?.algorithm;
    expect(first('Digest realm="r", nonce="n", algorithm=SHA-1, Digest realm="r", nonce="n", algorithm=sha-256')).toBe('sha-256');
    expect(first('Digest realm="r", nonce="n", qop="auth-int"')).toBeUndefined();
    expect(first('Digest nonce="n"')).toBeUndefined();
    expect(first('Basic realm="r"')).toBeUndefined();
  });
});

describe('how an origin is told who asks', () => {
  const credential = { kind: 'basic', username: 'me', password: 'pw', source: 'netrc' } as const;
  const get = { method: 'GET', uri: '/' };
  const digest = (nonce: string, more = ''): { 'www-authenticate': string } => ({
    'www-authenticate': `Digest realm="r", nonce="${nonce}", qop="auth"${more}`,
  });

  it('as Basic until it asks for Digest, then with counts for each nonce', () => {
    const authorizer = new Authorizer();
    const basic = authorizer.header(credential, get);
    expect(basic).toBe('Basic bWU6cHc=');
    expect(authorizer.refused(credential, { 'www-authenticate': 'Basic realm="r"' }, basic)).toBe(false);
    expect(authorizer.refused(credential, digest('one'), basic)).toBe(true);
    const counts = Array.from({ length: 3 }, () => field(authorizer.header(credential, get)!, 'nc'));
    expect(counts).toEqual(['00000001', '00000002', '00000003']);
    const sent = authorizer.header(credential, get)!;
    expect(authorizer.refused(credential, digest('one'), sent)).toBe(false);
    expect(authorizer.refused(credential, digest('two', ', stale=TRUE'), sent)).toBe(true);
    expect(field(authorizer.header(credential, get)!, 'nc')).toBe('00000001');
    authorizer.accepted({ 'authentication-info': 'nextnonce="three", qop=auth' });
    expect(field(authorizer.header(credential, get)!, 'nonce')).toBe('three');
  });

  it('never as Basic where only Digest is allowed, and a token only as it is', () => {
    const authorizer = new Authorizer();
    const only = { ...credential, scheme: 'digest' } as const;
    expect(authorizer.header(only, get)).toBeUndefined();
    expect(authorizer.refused(only, { 'www-authenticate': 'Basic realm="r"' }, undefined)).toBe(false);
    const token = { kind: 'bearer', token: 'tok', source: 'netrc' } as const;
    expect(authorizer.refused(token, digest('one'), 'Bearer tok')).toBe(false);
    expect(authorizer.header(token, get)).toBe('Bearer tok');
  });
});
