/** A real PostgreSQL server on a free port of 127.0.0.1, with its cluster in a temporary place. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../proxy/testing/ports.js';
import { endChild } from './end-child.js';
import { runSuccessfully } from './run.js';
import { serverUser } from './server-user.js';
import { eventually, removeDirectory, temporaryDirectory } from './temporary.js';

const VERSIONS = '/usr/lib/postgresql';
let told = false;

/** Directory of initdb and postgres, or undefined (said once, on standard error). */
function programs(): string | undefined {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(VERSIONS, version, 'bin')).find((directory) => existsSync(join(directory, 'initdb')));
  if (found === undefined && !told) {
    told = true;
    process.stderr.write('tests with PostgreSQL are left out: no initdb below /usr/lib/postgresql (package postgresql)\n');
  }
  return found;
}

/** Whether {@link PostgresqlServer.start} can work here. */
export function hasPostgresql(): boolean {
  return programs() !== undefined;
}

export interface PostgresqlOptions {
  /** Further lines of postgresql.conf. */
  readonly settings?: readonly string[];
  /** PEM texts with which the server speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export class PostgresqlServer {
  /** Of the superuser `butler`; asked for over TCP. */
  static readonly password = "se'cret \\pass:word";
  readonly port: number;
  readonly #programs: string;
  readonly #place: string;
  readonly #user = serverUser('postgres');
  #process: ChildProcess | undefined;

  private constructor(directory: string, port: number, place: string) {
    this.#programs = directory;
    this.port = port;
    this.#place = place;
  }

  static async start({ settings = [], tls }: PostgresqlOptions = {}): Promise<PostgresqlServer> {
    const found = programs();
    if (found === undefined) throw new Error('PostgreSQL is needed for this test: scripts/install-packages postgresql installs it');
    const server = new PostgresqlServer(found, await freePort(), temporaryDirectory('postgresql'));
    try {
      await server.#initialise(settings, tls);
      await server.restart();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #initialise(settings: readonly string[], tls: PostgresqlOptions['tls']): Promise<void> {
    const passwordFile = join(this.#place, 'password');
    writeFileSync(passwordFile, PostgresqlServer.password);
    const write = (name: string, text: string, mode: number): string => {
      const file = join(this.#place, name);
      writeFileSync(file, text);
      chmodSync(file, mode);
      this.#user.own(file);
      return file;
    };
    this.#user.own(this.#place);
    this.#user.own(passwordFile);
    const authentication = ['--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${passwordFile}`, '--username=butler'];
    const [program, ...words] = this.#user.as([
      join(this.#programs, 'initdb'),
      '-D',
      this.#data,
      '--no-sync',
      '--encoding=UTF8',
      '--locale=C',
      ...authentication,
    ]);
    await runSuccessfully(program!, words, { cwd: '/' });
    const lines = [
      `listen_addresses = '127.0.0.1'`,
      `port = ${this.port}`,
      `unix_socket_directories = '${this.#place}'`,
      'fsync = off',
      'full_page_writes = off',
      'max_connections = 40',
      ...settings,
    ];
    if (tls !== undefined) {
      lines.push('ssl = on', `ssl_cert_file = '${write('server.crt', tls.certificate, 0o644)}'`);
      lines.push(`ssl_key_file = '${write('server.key', tls.key, 0o600)}'`);
    }
    appendFileSync(join(this.#data, 'postgresql.conf'), `${lines.join('\n')}\n`);
  }

  get #data(): string {
    return join(this.#place, 'data');
  }

  /** Directory of the Unix socket, where no password is asked for. */
  get socket(): string {
    return this.#place;
  }

  /** Variables that let a process in. */
  get environment(): Readonly<Record<string, string>> {
    return { PGPASSWORD: PostgresqlServer.password };
  }

  /** `parameters` are those of the URL. */
  url(database: string, parameters = ''): string {
    return `postgresql://butler@127.0.0.1:${this.port}/${encodeURIComponent(database)}${parameters}`;
  }

  /** Starts on the same port after {@link kill}. */
  async restart(): Promise<void> {
    await this.kill();
    const [program, ...words] = this.#user.as([join(this.#programs, 'postgres'), '-D', this.#data]);
    const log: string[] = [];
    const child = spawn(program!, words, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log.push(text);
      appendFileSync(join(this.#place, 'log'), text);
    });
    this.#process = child;
    await eventually('PostgreSQL answering', async () => {
      if (child.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${log.join('')}`);
      return await this.query('postgres', 'select 1').then(
        () => true,
        () => false,
      );
    });
  }

  /** Lines that the server logged. */
  log(): string {
    return existsSync(join(this.#place, 'log')) ? readFileSync(join(this.#place, 'log'), 'utf8') : '';
  }

  /** Runs one statement over the socket. */
  async query(database: string, text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ host: this.#place, port: this.port, user: 'butler', database, connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(text, [...values])).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async createDatabase(name: string): Promise<void> {
    await this.query('postgres', `create database ${pg.escapeIdentifier(name)}`);
  }

  /** Ends it at once, with all connections. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    // SIGQUIT is its immediate shutdown, which ends its children too.
    await endChild(child, 'SIGQUIT');
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    removeDirectory(this.#place);
  }
}
