/** What ssh_config(5) says of one host: the part of it that reading files takes. */

import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';
import { readConfigFile, wrongLine, type Directive } from './config-file.js';
import { matchesPatterns } from './patterns.js';

/** A host as somebody names it. */
export interface HostName {
  /** A name, an address (IPv6 without brackets) or a `Host` of ssh_config. */
  readonly host: string;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
}

/** How to reach a host, and who to be there. */
export interface HostSettings {
  readonly alias: string;
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  /** Absolute paths, in the order to be tried; `explicit` where ssh_config names them. */
  readonly identityFiles: readonly { readonly path: string; readonly explicit: boolean }[];
  /** Only keys of `identityFiles` are offered, also of those that the agent holds. */
  readonly identitiesOnly: boolean;
  /** The agent's socket; undefined: none. */
  readonly agent: string | undefined;
  /** Hosts to go through, the nearest first. */
  readonly jumps: readonly HostName[];
  /** The name that known_hosts has for it, where it is not its own. */
  readonly hostKeyAlias: string | undefined;
  /** Absolute paths; the user's first. */
  readonly knownHosts: readonly string[];
  /** Milliseconds. */
  readonly connectTimeout: number | undefined;
}

/** Where the files of a user are. */
export interface SshFiles {
  /** Default: this process's. */
  readonly home?: string | undefined;
  readonly systemDirectory?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

const DEFAULT_IDENTITIES = ['id_rsa', 'id_ecdsa', 'id_ed25519'];

/**
 * Reads `~/.ssh/config` and `/etc/ssh/ssh_config`; the first value of an option counts, and what `name` says comes before both. `Match` knows `all`, `host`,
 * `originalhost`, `user` and `localuser`; with any other condition a block does not match. Throws `configuration`, and `unsupported` for ProxyCommand.
 */
export async function hostSettings(name: HostName, files: SshFiles = {}): Promise<HostSettings> {
  const { home = homedir(), systemDirectory = '/etc/ssh', environment = process.env } = files;
  const local = userInfo().username;
  const ofUser = { path: join(home, '.ssh/config'), includeDirectory: join(home, '.ssh'), home, isPrivate: true };
  const ofSystem = { path: join(systemDirectory, 'ssh_config'), includeDirectory: systemDirectory, home, isPrivate: false };
  const options = new Options(name, local);
  for (const file of [ofUser, ofSystem]) options.take(await readConfigFile(file));

  const hostName = expand(options.first('hostname') ?? '%h', { h: name.host });
  const port = name.port ?? parsePort(options.directive('port')) ?? 22;
  const user = name.user ?? options.first('user') ?? local;
  const hostKeyAlias = options.first('hostkeyalias');
  const tokens = {
    d: home,
    h: hostName,
    i: String(process.getuid?.() ?? 0),
    k: hostKeyAlias ?? name.host,
    n: name.host,
    p: String(port),
    r: user,
    u: local,
  };
  const pathOf = (text: string): string => {
    const expanded = expand(text, tokens).replace(/\$\{([^}]*)\}/g, (_, variable: string) => environment[variable] ?? '');
    if (expanded === '~' || expanded.startsWith('~/')) return join(home, expanded.slice(1));
    return isAbsolute(expanded) ? expanded : join(home, expanded);
  };
  const named = options.all('identityfile').filter((text) => text.toLowerCase() !== 'none');
  const defaults = options.all('identityfile').length === 0 ? DEFAULT_IDENTITIES : [];
  const knownHosts = (keyword: string, otherwise: readonly string[]): string[] =>
    (options.directive(keyword)?.words ?? otherwise).filter((text) => text.toLowerCase() !== 'none').map(pathOf);
  return {
    alias: name.host,
    hostName,
    port,
    user,
    identityFiles: [
      ...named.map((text) => ({ path: pathOf(text), explicit: true })),
      ...defaults.map((text) => ({ path: join(home, '.ssh', text), explicit: false })),
    ],
    identitiesOnly: options.first('identitiesonly')?.toLowerCase() === 'yes',
    agent: agentOf(options.first('identityagent'), environment, pathOf),
    jumps: options.jumps().filter(({ host, port: at = 22 }) => host.toLowerCase() !== hostName.toLowerCase() || at !== port),
    hostKeyAlias: hostKeyAlias?.toLowerCase(),
    knownHosts: [
      ...knownHosts('userknownhostsfile', ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']),
      ...knownHosts(
        'globalknownhostsfile',
        ['ssh_known_hosts', 'ssh_known_hosts2'].map((file) => join(systemDirectory, file)),
      ),
    ],
    connectTimeout: parseTime(options.directive('connecttimeout')),
  };
}

/** Values that hold for one host, as they are found. */
class Options {
  readonly #name: HostName;
  readonly #localUser: string;
  readonly #values = new Map<string, Directive[]>();

  constructor(name: HostName, localUser: string) {
    this.#name = name;
    this.#localUser = localUser;
  }

  directive(keyword: string): Directive | undefined {
    return this.#values.get(keyword)?.[0];
  }

  first(keyword: string): string | undefined {
    return this.directive(keyword)?.words[0];
  }

  all(keyword: string): string[] {
    return (this.#values.get(keyword) ?? []).flatMap(({ words }) => words.slice(0, 1));
  }

  /** Of ProxyJump and ProxyCommand the first counts. */
  jumps(): HostName[] {
    const directive = this.directive('proxy');
    const [value = 'none'] = directive?.words ?? [];
    if (directive === undefined || value.toLowerCase() === 'none') return [];
    if (directive.keyword === 'proxyjump') return value.split(',').map((text) => parseJump(text, directive));
    throw new ButlerfsError('unsupported', {
      what: `ProxyCommand for '${this.#name.host}'`,
      where: `${directive.file}:${directive.line}`,
      why: 'no command is run to reach a host',
      advice: 'use ProxyJump',
    });
  }

  take(directives: readonly Directive[]): void {
    let active = true;
    for (const directive of directives) {
      const { keyword, words, included } = directive;
      if (keyword === 'host') active = matchesPatterns(words, this.#name.host);
      else if (keyword === 'match') active = this.#matches(directive);
      else if (!active) continue;
      else if (included !== undefined) included.forEach((inner) => this.take(inner));
      else if (words.length === 0) throw wrongLine(directive, `'${keyword}' has no value`);
      else {
        const name = keyword === 'proxyjump' || keyword === 'proxycommand' ? 'proxy' : keyword;
        this.#values.set(name, [...(this.#values.get(name) ?? []), directive]);
      }
    }
  }

  #matches(directive: Directive): boolean {
    const { words } = directive;
    if (words.length === 0) throw wrongLine(directive, "'match' has no condition");
    let all = true;
    for (let i = 0; i < words.length; i++) {
      const negated = words[i]!.startsWith('!');
      const condition = words[i]!.slice(negated ? 1 : 0).toLowerCase();
      if (condition === 'all') {
        all &&= !negated;
        continue;
      }
      const actual = this.#actual(condition);
      if (actual === undefined) return false;
      const patterns = words[++i];
      if (patterns === undefined) throw wrongLine(directive, `'${condition}' needs a pattern`);
      all &&= matchesPatterns(patterns.split(','), actual) !== negated;
    }
    return all;
  }

  #actual(condition: string): string | undefined {
    const { host, user } = this.#name;
    switch (condition) {
      case 'host':
        return expand(this.first('hostname') ?? host, { h: host });
      case 'originalhost':
        return host;
      case 'user':
        return user ?? this.first('user') ?? this.#localUser;
      case 'localuser':
        return this.#localUser;
      default:
        return undefined;
    }
  }
}

/** `[user@]host[:port]` or `ssh://[user@]host[:port]`. */
function parseJump(text: string, at: Directive): HostName {
  const match = /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[([^\]]+)\]|([^:@/[\]]+))(?::(\d+))?\/?$/i.exec(text.trim());
  if (match === null) throw wrongLine(at, `'${text}' is not a host to go through`);
  const [, user, bracketed, plain, port] = match;
  return { host: (bracketed ?? plain)!, user, port: port === undefined ? undefined : checkedPort(port, at) };
}

function parsePort(directive: Directive | undefined): number | undefined {
  return directive === undefined ? undefined : checkedPort(directive.words[0]!, directive);
}

function checkedPort(text: string, at: Directive): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw wrongLine(at, `'${text}' is not a port`);
  return port;
}

/** Milliseconds of a time such as `10`, `1m30s`. */
function parseTime(directive: Directive | undefined): number | undefined {
  const text = directive?.words[0]?.toLowerCase();
  if (directive === undefined || text === undefined || text === 'none') return undefined;
  if (!/^(\d+[smhdw]?)+$/.test(text)) throw wrongLine(directive, `'${text}' is not a time`);
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;
  const parts = [...text.matchAll(/(\d+)([smhdw]?)/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * seconds[(unit || 's') as keyof typeof seconds] * 1000, 0);
}

function agentOf(
  identityAgent: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  pathOf: (text: string) => string,
): string | undefined {
  if (identityAgent === undefined || identityAgent === 'SSH_AUTH_SOCK') return environment['SSH_AUTH_SOCK'] || undefined;
  if (identityAgent.toLowerCase() === 'none') return undefined;
  if (/^\$\w+$/.test(identityAgent)) return environment[identityAgent.slice(1)] || undefined;
  return pathOf(identityAgent);
}

/** Replaces `%x` tokens; `%%` is a per cent sign. */
function expand(text: string, tokens: Readonly<Record<string, string>>): string {
  return text.replace(/%(.?)/g, (whole, token: string) => {
    if (token === '%') return '%';
    const value = tokens[token];
    if (value !== undefined) return value;
    throw new ButlerfsError('configuration', { what: `'${text}' in ssh_config`, why: `${whole} is not a token that is known here` });
  });
}
