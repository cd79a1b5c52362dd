import { describe, expect, it } from 'vitest';
import { extensionOf, parseLocation } from './locations.js';

describe('the path of a datastore record', () => {
  // Left: as recorded. Right: where lsst.resources finds it, but where said otherwise.
  it.each([
    ['a/b.fits', 'a/b.fits'],
    ['a//b/./c.fits', 'a/b/c.fits'],
    ['a#b/c.fits', 'a#b/c.fits'],
    ['a%20b/c.fits', 'a b/c.fits'],
    ['50%_done/x.yaml', '50%_done/x.yaml'],
    ['a%2fb/c.fits', 'a%2fb/c.fits'],
    ['a/%zz%20', 'a/%zz '],
    ['a b;c/d;e.fits', 'a b;c/d;e.fits'],
    ['a/b?c.fits', 'a/b?c.fits'],
    ['zo%C3%AB/x', 'zoë/x'],
    // Never expanded, though the reference software does.
    ['~/x', '~/x'],
    ['$HOME/x', '$HOME/x'],
    // No fragment of a zip member: the name is taken as it is.
    ['a/x#y.fits', 'a/x#y.fits'],
    ['/abs/x y', 'file:///abs/x%20y'],
    ['https://example.org/raw/HSC%20first/a.fits', 'https://example.org/raw/HSC%20first/a.fits'],
    ['s3://bucket/a/b.fits', 's3://bucket/a/b.fits'],
  ])('%s leads to %s', (path, location) => {
    expect(parseLocation(path, '')).toMatchObject({ location, member: null });
  });

  it.each([
    ['z/a.zip#zip-path=m_1.yaml', 'z/a.zip', 'm_1.yaml'],
    ['z/a.zip#zip-path=x%20y.yaml', 'z/a.zip', 'x y.yaml'],
    ['a#zip-path=b/c.zip#zip-path=d.yaml', 'a#zip-path=b/c.zip', 'd.yaml'],
    ['https://example.org/a.zip#zip-path=m.yaml', 'https://example.org/a.zip', 'm.yaml'],
  ])('%s is a member of an archive', (path, location, member) => {
    expect(parseLocation(path, '')).toEqual({ location, member, extension: '.yaml' });
  });

  it.each(['', '/', '..', 'a/../../b', '%2E%2E/b', 'a/..', 'a\0b', 'a%00b', '.', 'a.zip#zip-path='])('%j is refused', (path) => {
    expect(parseLocation(path, '')).toHaveProperty('refused');
  });

  it('lies below the root of its datastore', () => {
    expect(parseLocation('a/b c.fits', 'store')).toMatchObject({ location: 'store/a/b c.fits' });
    expect(parseLocation('a/b c#d.fits', 's3://bucket/x')).toMatchObject({ location: 's3://bucket/x/a/b%20c%23d.fits' });
    expect(parseLocation('https://example.org/a', 'store')).toMatchObject({ location: 'https://example.org/a' });
  });

  it.each([
    ['a/b.fits', '.fits'],
    ['a/b.FITS.GZ', '.fits.gz'],
    ['a/b.fits.fz', '.fits.fz'],
    ['a.b/c', ''],
    ['.hidden', ''],
    ['v1.2~a.yaml', '.yaml'],
    ['x.tar.gz', '.tar.gz'],
    ['a.b.pickle', '.pickle'],
  ])('%s ends in "%s"', (path, extension) => {
    expect(extensionOf(path)).toBe(extension);
  });

  it('does not take a query for a part of the extension', () => {
    expect(parseLocation('https://example.org/a.fits?x=1.y', '')).toMatchObject({ extension: '.fits' });
  });
});
