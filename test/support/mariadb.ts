/** A real MariaDB server on a free port of 127.0.0.1, with its data in a temporary place. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { freePort } from '../../proxy/testing/ports.js';
import { endChild } from './end-child.js';
import { runSuccessfully } from './run.js';
import { serverUser } from './server-user.js';
import { eventually, removeDirectory, temporaryDirectory } from './temporary.js';

const PLACES = ['/usr/sbin/mariadbd', '/usr/sbin/mysqld', '/usr/libexec/mariadbd'];
const INSTALLERS = ['/usr/bin/mariadb-install-db', '/usr/bin/mysql_install_db'];
let told = false;

function programs(): { readonly server: string; readonly installer: string } | undefined {
  const server = PLACES.find(existsSync);
  const installer = INSTALLERS.find(existsSync);
  if (server !== undefined && installer !== undefined) return { server, installer };
  if (!told) {
    told = true;
    process.stderr.write('tests with MariaDB are left out: no mariadbd and mariadb-install-db (package mariadb-server)\n');
  }
  return undefined;
}

/** Whether {@link MariadbServer.start} can work here. */
export function hasMariadb(): boolean {
  return programs() !== undefined;
}

export interface MariadbOptions {
  /** Further arguments of the server: `--ssl-cert=FILE`. */
  readonly settings?: readonly string[];
}

export class MariadbServer {
  /** Of the user `butler`. */
  static readonly password = "se'cret \\pass";
  readonly port: number;
  readonly #program: string;
  readonly #place: string;
  readonly #settings: readonly string[];
  readonly #user = serverUser('mysql');
  #process: ChildProcess | undefined;

  private constructor(program: string, port: number, place: string, settings: readonly string[]) {
    this.#program = program;
    this.port = port;
    this.#place = place;
    this.#settings = settings;
  }

  static async start({ settings = [] }: MariadbOptions = {}): Promise<MariadbServer> {
    const found = programs();
    if (found === undefined) throw new Error('MariaDB is needed for this test: scripts/install-packages mariadb-server installs it');
    const server = new MariadbServer(found.server, await freePort(), temporaryDirectory('mariadb'), settings);
    try {
      await server.#initialise(found.installer);
      await server.restart();
      const connection = await createConnection({ socketPath: server.socket, user: 'root' });
      await connection.query("create user 'butler'@'%' identified by ?", [MariadbServer.password]);
      await connection.query("grant all privileges on *.* to 'butler'@'%' with grant option");
      await connection.end();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #initialise(installer: string): Promise<void> {
    this.#user.own(this.#place);
    const [program, ...words] = this.#user.as([
      installer,
      '--no-defaults',
      `--datadir=${this.#data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ]);
    await runSuccessfully(program!, words, { cwd: this.#place, timeout: 60_000 });
  }

  get #data(): string {
    return join(this.#place, 'data');
  }

  get socket(): string {
    return join(this.#place, 'socket');
  }

  /** Variables that let a process in. */
  get environment(): Readonly<Record<string, string>> {
    return { MYSQL_PWD: MariadbServer.password };
  }

  url(database: string, parameters = ''): string {
    return `mysql://butler@127.0.0.1:${this.port}/${encodeURIComponent(database)}${parameters}`;
  }

  /** Starts on the same port after {@link kill}. */
  async restart(): Promise<void> {
    await this.kill();
    const [program, ...words] = this.#user.as([
      this.#program,
      '--no-defaults',
      `--datadir=${this.#data}`,
      `--socket=${this.socket}`,
      `--port=${this.port}`,
      '--bind-address=127.0.0.1',
      `--pid-file=${join(this.#place, 'pid')}`,
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-buffer-pool-size=32M',
      '--skip-log-bin',
      '--character-set-server=latin1',
      ...this.#settings,
    ]);
    const child = spawn(program!, words, { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.#place });
    child.stderr.setEncoding('utf8').on('data', (text: string) => appendFileSync(join(this.#place, 'log'), text));
    this.#process = child;
    await eventually(
      'MariaDB answering',
      async () => {
        if (child.exitCode !== null) throw new Error(`MariaDB did not start:\n${readFileSync(join(this.#place, 'log'), 'utf8')}`);
        if (!existsSync(this.socket)) return false;
        const connection = await createConnection({ socketPath: this.socket, user: 'root', connectTimeout: 2000 }).catch(() => undefined);
        await connection?.end();
        return connection !== undefined;
      },
      20_000,
    );
  }

  /** Runs one statement as `butler`. */
  async query(database: string | undefined, text: string, values: readonly unknown[] = []): Promise<unknown> {
    const access = { host: '127.0.0.1', port: this.port, user: 'butler', password: MariadbServer.password, connectTimeout: 5000 };
    const connection = await createConnection({ ...access, ...(database === undefined ? {} : { database }) });
    try {
      return (await connection.query(text, [...values]))[0];
    } finally {
      await connection.end();
    }
  }

  async createDatabase(name: string): Promise<void> {
    await this.query(undefined, `create database \`${name.replaceAll('`', '``')}\``);
  }

  /** Ends it at once, with all connections. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    await endChild(child, 'SIGKILL');
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    removeDirectory(this.#place);
  }
}
