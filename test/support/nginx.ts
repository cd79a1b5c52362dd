/** A real nginx on 127.0.0.1 that serves one directory, with its configuration, pid and logs in a temporary place. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers, freePort } from '../../proxy/testing/ports.js';
import { endChild } from './end-child.js';
import { eventually, removeDirectory, temporaryDirectory } from './temporary.js';

export interface NginxOptions {
  /** Asks for this user and password (basic authentication). */
  readonly user?: { readonly name: string; readonly password: string };
  /** Bytes a second of each answer, as nginx writes it: `64k`. */
  readonly rate?: string;
  /** Further lines of the `server` block. */
  readonly directives?: readonly string[];
  /** Further lines of the `http` block. */
  readonly http?: readonly string[];
}

const PLACES = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx', '/usr/local/bin/nginx'];

function findNginx(): string {
  const found = PLACES.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error('nginx is needed for this test: scripts/install-packages installs it');
  return found;
}

/** An entry of an htpasswd file that nginx understands ({SHA}). */
function passwordLine(name: string, password: string): string {
  return `${name}:{SHA}${createHash('sha1').update(password).digest('base64')}\n`;
}

/** Begins the names of what is asked for only to be found in the log. */
const MARKER = 'logged-until-';

export class Nginx {
  readonly port: number;
  readonly #program: string;
  readonly #place: string;
  readonly #directory: string;
  #options: NginxOptions;
  #process: ChildProcess | undefined;
  #markers = 0;

  private constructor(program: string, port: number, place: string, directory: string, options: NginxOptions) {
    this.#program = program;
    this.port = port;
    this.#place = place;
    this.#directory = directory;
    this.#options = options;
  }

  /** Serves `directory` on a free port; resolves when it answers. */
  static async start(directory: string, options: NginxOptions = {}): Promise<Nginx> {
    const program = findNginx();
    const nginx = new Nginx(program, await freePort(), temporaryDirectory('nginx'), directory, options);
    await nginx.restart();
    return nginx;
  }

  /** Without a trailing slash. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Lines of the access log: method, path, status, bytes sent, Range header. */
  requests(): string[] {
    return this.#lines().filter((line) => !line.includes(MARKER));
  }

  #lines(): string[] {
    return readFileSync(join(this.#place, 'access.log'), 'utf8').split('\n').filter(Boolean);
  }

  /** Likewise, with everything that was answered before: a line is written after its answer, and the one worker writes them in order. */
  async logged(): Promise<string[]> {
    const marker = `${MARKER}${++this.#markers}`;
    await (await fetch(`${this.url}/${marker}`)).text();
    await eventually('nginx writing its log', () => this.#lines().some((line) => line.includes(`/${marker} `)));
    return this.requests();
  }

  /** Starts on the same port after {@link kill}, or with other options. */
  async restart(options: NginxOptions = this.#options): Promise<void> {
    await this.kill();
    this.#options = options;
    writeFileSync(join(this.#place, 'nginx.conf'), this.#configuration());
    if (options.user !== undefined) {
      writeFileSync(join(this.#place, 'passwords'), passwordLine(options.user.name, options.user.password), { mode: 0o644 });
    }
    const child = spawn(this.#program, ['-p', this.#place, '-c', join(this.#place, 'nginx.conf'), '-e', join(this.#place, 'error.log')], {
      stdio: 'ignore',
    });
    this.#process = child;
    await eventually('nginx answering', async () => {
      if (child.exitCode !== null) throw new Error(`nginx did not start:\n${readFileSync(join(this.#place, 'error.log'), 'utf8')}`);
      return answers(this.port);
    });
  }

  /** Ends it at once, in the middle of whatever it sends. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    // SIGTERM is nginx's fast shutdown: workers are ended too, which SIGKILL of the master would leave behind.
    await endChild(child, 'SIGTERM');
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    removeDirectory(this.#place);
  }

  #configuration(): string {
    const { user, rate, directives = [], http = [] } = this.#options;
    const at = (name: string): string => join(this.#place, name);
    // Files in test directories are the caller's alone: a worker under another account could not read them.
    const account = process.getuid?.() === 0 ? 'user root;' : '';
    return `
daemon off;
master_process on;
worker_processes 1;
${account}
pid ${at('nginx.pid')};
error_log ${at('error.log')} warn;
events { worker_connections 256; }
http {
  log_format short '$request_method $request_uri $status $body_bytes_sent $http_range';
  access_log ${at('access.log')} short;
  client_body_temp_path ${at('body')};
  proxy_temp_path ${at('proxy')};
  fastcgi_temp_path ${at('fastcgi')};
  uwsgi_temp_path ${at('uwsgi')};
  scgi_temp_path ${at('scgi')};
  default_type application/octet-stream;
  ${http.join('\n  ')}
  server {
    listen 127.0.0.1:${this.port};
    root ${this.#directory};
    autoindex on;
    ${user === undefined ? '' : `auth_basic "repository"; auth_basic_user_file ${at('passwords')};`}
    ${rate === undefined ? '' : `limit_rate ${rate};`}
    ${directives.join('\n    ')}
  }
}
`;
  }
}
