import { posix } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openRemote } from './assemble.js';
import { joinRemoteUrl, parseRemotePath } from './paths.js';

describe('remote paths', () => {
  it.each(['', '/', '/etc/passwd', '..', '../x', 'a/../b', 'a/..', './a', 'a/.', 'a//b', 'a/', 'a\0b', '\ud800', 'x'.repeat(5000)])(
    'refuses %j',
    (text) => {
      expect(() => parseRemotePath(text)).toThrow(expect.objectContaining({ code: 'remote-forbidden' }) as Error);
    },
  );

  it('promise 12: whatever is accepted stays below the root, as a path and as a URL, and comes back from the URL', () => {
    const component = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('..', '.', '', '%2e%2e', '%2F', 'a', '\\', '?', '#', ' '));
    const text = fc.array(component, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(text, (candidate) => {
        let path;
        try {
          path = parseRemotePath(candidate);
        } catch {
          return;
        }
        expect(posix.join('/root', path)).toBe(`/root/${path}`);
        const url = new URL(joinRemoteUrl('https://host/root', path));
        expect(url.search + url.hash).toBe('');
        expect(url.pathname.split('/').map(decodeURIComponent).join('/')).toBe(`/root/${path}`);
      }),
    );
  });
});

describe('sources', () => {
  it('are told apart by their form, and stripped of secrets and slashes', () => {
    expect(openRemote('/data/repo/')).toMatchObject({ kind: 'file', url: 'file:///data/repo' });
    expect(openRemote('file:///data/a%20b')).toMatchObject({ kind: 'file', url: 'file:///data/a%20b' });
    expect(openRemote('https://me:pw@Host.Example:443/repo//')).toMatchObject({ kind: 'http', url: 'https://host.example/repo' });
  });

  it.each(['relative/path', 's3://bucket', 'http://u:secret@host/x?token=secret', 'file://host/x', 'u:secret@host bad', ''])(
    '%j is unsupported, and no secret is shown',
    (source) => {
      expect(() => openRemote(source)).toThrow(expect.objectContaining({ code: 'unsupported' }) as Error);
      expect(() => openRemote(source)).not.toThrow(/secret/);
    },
  );
});
