import { expect, it } from 'vitest';
import { mountOptionText } from './mount-options.js';

const settings = { name: '/data', allowOther: false, readOnly: true, nameSeconds: 1, absenceSeconds: 0.5, attributeSeconds: 0 };

it('says what libfuse needs to know', () => {
  const text = mountOptionText(settings);
  expect(text).toMatch(/^-oro,nosuid,nodev,noatime,default_permissions,subtype=butlerfs,use_ino,/);
  expect(text).toContain('entry_timeout=1,negative_timeout=0.5,attr_timeout=0');
  expect(text).toMatch(/,fsname=\/data$/);
  expect(mountOptionText({ ...settings, readOnly: false, allowOther: true, trusted: true })).toMatch(/^-orw,suid,dev,.*,allow_other,/);
});

it('takes any name, and cuts off one that is too long', () => {
  expect(mountOptionText({ ...settings, name: 'a,b\\c' })).toMatch(/,fsname=a\\,b\\\\c$/);
  for (const character of ['x', ',', 'ü']) {
    const text = mountOptionText({ ...settings, name: character.repeat(2000) });
    expect(Buffer.byteLength(text)).toBeLessThan(1024);
    expect(Buffer.byteLength(text)).toBeGreaterThan(1000);
  }
});
