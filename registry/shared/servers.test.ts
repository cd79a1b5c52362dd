/** What is said of servers that refuse, are not there, or hold something else, and how TLS is spoken. */

import { chmodSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../proxy/testing/tls.js';
import { hasMariadb, MariadbServer } from '../../test/support/mariadb.js';
import { hasPostgresql, PostgresqlServer } from '../../test/support/postgresql.js';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import { collection, universe } from '../testing/records.js';
import { parseDatabaseUrl } from './address.js';
import { createSharedCatalogue, openSharedCatalogue } from './open.js';

const WRONG = 'wr0ng-secret';

async function factsOf(url: string, password: string | undefined): Promise<{ readonly root: string }> {
  const address = parseDatabaseUrl(url);
  const catalogue = await openSharedCatalogue({ address, user: address.user, password });
  try {
    return await catalogue.facts();
  } finally {
    await catalogue.close();
  }
}

async function refused(url: string, password: string | undefined, code: string, why: RegExp): Promise<void> {
  const error: unknown = await factsOf(url, password).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code, message: expect.stringMatching(why) as string });
  expect((error as Error).message).not.toContain(WRONG);
  expect((error as Error).message).not.toContain('\n');
}

describe.runIf(hasPostgresql())('a PostgreSQL server', () => {
  let server: PostgresqlServer;
  let directory: string;
  let authority: string;
  const { password } = PostgresqlServer;
  beforeAll(async () => {
    directory = temporaryDirectory('servers');
    const made = makeCertificate(directory);
    authority = made.authority;
    server = await PostgresqlServer.start({
      tls: { certificate: readFileSync(made.certificate, 'utf8'), key: readFileSync(made.key, 'utf8') },
    });
    await server.createDatabase('data');
    const access = { address: parseDatabaseUrl(server.url('data')), user: 'butler', password };
    const catalogue = await createSharedCatalogue(access, { root: '/data', universe: null });
    await catalogue.write([universe(), collection(1, 'run')]);
    await catalogue.close();
  });
  afterAll(async () => {
    await server?.stop();
    removeDirectory(directory);
  });

  it('that refuses says why', async () => {
    await refused(server.url('data'), WRONG, 'remote-forbidden', /refuses the user or the password/);
    await refused(server.url('data'), undefined, 'remote-forbidden', /password/);
    await refused(server.url('data').replace('butler@', 'nobody@'), WRONG, 'remote-forbidden', /refuses/);
    await refused(server.url('nothing'), password, 'not-a-repository', /no such database/);
    await refused(server.url('postgres'), password, 'not-a-repository', /no butlerfs catalogue/);
    await refused(server.url('data', '?schema=other'), password, 'not-a-repository', /no butlerfs catalogue/);
    await refused('postgresql://me@no-such-host.invalid/data', WRONG, 'remote-unreachable', /no such host|cannot be resolved/);
    await refused('postgresql://me@127.0.0.1:9/data', WRONG, 'remote-unreachable', /nothing takes connections/);
    await refused(`postgresql://me@localhost/data?host=${directory}/none`, WRONG, 'remote-unreachable', /socket/);
  });

  it('is asked over its socket, and over TLS as the URL wants it', async () => {
    expect(await factsOf(`postgresql://butler@localhost:${server.port}/data?host=${server.socket}`, undefined)).toMatchObject({
      root: '/data',
    });
    for (const parameters of [
      '?sslmode=require',
      '?sslmode=prefer',
      `?sslmode=verify-ca&sslrootcert=${authority}`,
      `?sslmode=verify-full&sslrootcert=${authority}`,
    ]) {
      expect(await factsOf(server.url('data', parameters), password)).toMatchObject({ root: '/data' });
    }
    await refused(server.url('data', '?sslmode=verify-full'), password, 'remote-forbidden', /certificate is not trusted.*sslrootcert/);
    await refused(server.url('data', `?sslmode=verify-ca&sslrootcert=${directory}/none`), password, 'configuration', /sslrootcert/);
  });

  it('without TLS is refused where it is asked for, and taken where it is only preferred', async () => {
    await server.query('postgres', 'alter system set ssl = off');
    await server.query('postgres', 'select pg_reload_conf()');
    await refused(server.url('data', '?sslmode=require'), password, 'remote-forbidden', /does not speak TLS/);
    expect(await factsOf(server.url('data', '?sslmode=prefer'), password)).toMatchObject({ root: '/data' });
  });

  it('whose tables are of another version is refused, and those of an earlier one are brought up to date', async () => {
    const set = (version: string) =>
      server.query('data', `update butlerfs.information set value = $1 where name = 'schema-version'`, [version]);
    await set('99');
    await refused(server.url('data'), password, 'unsupported-repository', /version 99.*newer butlerfs/);
    const access = { address: parseDatabaseUrl(server.url('data')), user: 'butler', password };
    await expect(createSharedCatalogue(access, { root: '/data', universe: null })).rejects.toMatchObject({
      code: 'unsupported-repository',
    });
    await set('0');
    await refused(server.url('data'), password, 'unsupported-repository', /version 0.*catalogue create/);
    const made = await Promise.all([1, 2].map(() => createSharedCatalogue(access, { root: '/data', universe: null })));
    expect(await made[0]!.structure()).toMatchObject({ collections: [{ name: 'run' }] });
    for (const catalogue of made) await catalogue.close();
  });

  it('that is stopped in the middle of a write loses it whole, and takes the next one', async () => {
    const access = { address: parseDatabaseUrl(server.url('data')), user: 'butler', password };
    const catalogue = await openSharedCatalogue(access);
    async function* cut() {
      yield universe();
      for (let id = 1; id <= 12_000; id++) yield { kind: 'file', location: `${id}`, size: id, checksum: null } as const;
      await server.kill();
      yield collection(1, 'late');
    }
    await expect(catalogue.write(cut())).rejects.toMatchObject({ code: 'remote-unreachable' });
    await expect(catalogue.facts()).rejects.toMatchObject({ code: 'remote-unreachable' });
    await server.restart();
    expect(await catalogue.facts()).toMatchObject({ sequence: 1 });
    expect(await catalogue.write([universe(), collection(1, 'again')])).toMatchObject({ added: 1, sequence: 2 });
    await catalogue.close();
  });
});

describe.runIf(hasMariadb())('a MariaDB server', () => {
  it('that refuses says why, and is asked over TLS as the URL wants it', async () => {
    const directory = temporaryDirectory('servers');
    const { authority, certificate, key } = makeCertificate(directory);
    for (const file of [directory, authority, certificate, key]) chmodSync(file, 0o755);
    const server = await MariadbServer.start({ settings: [`--ssl-cert=${certificate}`, `--ssl-key=${key}`, `--ssl-ca=${authority}`] });
    try {
      await server.createDatabase('data');
      const { password } = MariadbServer;
      const access = { address: parseDatabaseUrl(server.url('data')), user: 'butler', password };
      await (await createSharedCatalogue(access, { root: '/data', universe: null })).close();
      for (const parameters of ['', '?sslmode=require', '?sslmode=prefer', `?sslmode=verify-full&sslrootcert=${authority}`]) {
        expect(await factsOf(server.url('data', parameters), password)).toMatchObject({ root: '/data' });
      }
      await refused(server.url('data', '?sslmode=verify-full'), password, 'remote-forbidden', /certificate/);
      await refused(server.url('data'), WRONG, 'remote-forbidden', /refuses the user or the password/);
      await refused(server.url('nothing'), password, 'not-a-repository', /no such database/);
      await refused(server.url('mysql'), password, 'not-a-repository', /no butlerfs catalogue/);
      await refused('mysql://me@127.0.0.1:9/data', WRONG, 'remote-unreachable', /nothing takes connections/);
    } finally {
      await server.stop();
      removeDirectory(directory);
    }
  });
});
