import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fingerprintOf, judgeHostKey, knownKeyTypes, parseKnownHosts } from './known-hosts.js';

/** A blob of the form of a key; what is in it does not matter here. */
function keyOf(type: string, content: string): Buffer {
  const part = (text: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(text));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  return Buffer.concat([part(type), part(content)]);
}

const key = keyOf('ssh-ed25519', 'one');
const other = keyOf('ssh-ed25519', 'two');
const rsa = keyOf('ssh-rsa', 'three');
const line = (names: string, of: Buffer = key, mark = ''): string =>
  `${mark}${names} ${of.toString('latin1', 4, 4 + of.readUInt32BE(0))} ${of.toString('base64')} comment\n`;
const hashed = (name: string): string => {
  const salt = Buffer.from('twenty bytes of salt');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
};
const judge = (text: string, host = 'host', port = 22, shown = key) => judgeHostKey(parseKnownHosts(text, 'file'), { host, port }, shown);

describe('known_hosts', () => {
  it.each([
    ['its name', line('host'), 'host', 22, 'known'],
    ['its name in other letters', line('host'), 'HOST', 22, 'known'],
    ['one name of several', line('a,host,10.0.0.1'), 'host', 22, 'known'],
    ['a wildcard', line('*.example'), 'x.example', 22, 'known'],
    ['a wildcard that leaves it out', line('*.example,!x.example'), 'x.example', 22, 'unknown'],
    ['its hashed name', line(hashed('host')), 'host', 22, 'known'],
    ['another hashed name', line(hashed('host')), 'host2', 22, 'unknown'],
    ['its name with the port', line('[host]:2222'), 'host', 2222, 'known'],
    ['its hashed name with the port', line(hashed('[host]:2222')), 'host', 2222, 'known'],
    ['its name with another port', line('[host]:2222'), 'host', 2223, 'unknown'],
    ['its name without the port, and its key', line('host'), 'host', 2222, 'known'],
    ['its name without the port, and another key', line('host', other), 'host', 2222, 'unknown'],
    ['another key of the type', line('host', other), 'host', 22, 'changed'],
    ['another key and its own', line('host', other) + line('host'), 'host', 22, 'known'],
    ['a key of another type', line('host', rsa), 'host', 22, 'other-type'],
    ['its key, revoked', line('host') + line('*', key, '@revoked '), 'host', 22, 'revoked'],
    ['another key, revoked', line('host') + line('*', other, '@revoked '), 'host', 22, 'known'],
    ['an authority', line('*', key, '@cert-authority '), 'host', 22, 'unknown'],
    ['a marker that means nothing', line('host', key, '@strange '), 'host', 22, 'unknown'],
    [
      'nothing but rubbish',
      `# host\n\nhost\nhost ssh-ed25519\nhost ssh-rsa ${key.toString('base64')}\nhost ssh-ed25519 !!!\n|1|x ssh-ed25519 ${key.toString('base64')}\n`,
      'host',
      22,
      'unknown',
    ],
  ])('%s', (_, text, host, port, kind) => expect(judge(text, host, port).kind).toBe(kind));

  it('says where', () => {
    expect(judge(`# first\n${line('other')}${line('host', other)}`)).toMatchObject({ kind: 'changed', entry: { file: 'file', line: 3 } });
    expect(judge(line('host') + line('host', key, '@revoked '))).toMatchObject({ kind: 'revoked', entry: { line: 2 } });
  });

  it('knows the types of keys of a host', () => {
    const entries = parseKnownHosts(line('host', rsa) + line('h*', key) + line('host', key) + line('[host]:7', rsa), 'file');
    expect(knownKeyTypes(entries, { host: 'host', port: 22 })).toEqual(['ssh-rsa', 'ssh-ed25519']);
    expect(knownKeyTypes(entries, { host: 'host', port: 7 })).toEqual(['ssh-rsa']);
    expect(knownKeyTypes(entries, { host: 'host', port: 8 })).toEqual(['ssh-rsa', 'ssh-ed25519']);
    expect(knownKeyTypes(entries, { host: 'nobody', port: 22 })).toEqual([]);
  });

  it('shows fingerprints as ssh-keygen does', () => {
    expect(fingerprintOf(key)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  });
});
