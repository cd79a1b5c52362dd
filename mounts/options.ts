/** From a command line, `-o` options and the configuration to checked {@link MountOptions}. */

import { resolve } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { LOG_LEVELS } from './log-levels.js';
import { readPublicKey } from './publication/keys.js';
import { configuredKey, configuredMirrors, parseMirrors, parseSource } from './repository.js';
import { TRANSPORTS } from './transports.js';
import { parseDuration, parseSize } from './units.js';
import type { Configuration, ConfiguredDefaults } from './configuration.js';
import type { MountOptions } from './contract.js';

/** What a command line says, unchecked. */
export interface MountRequest {
  readonly source: string;
  readonly mountPoint: string;
  /** Option names as after `-o`, in order: later ones win, `collections`, `calibs` and `default` add up. A flag's value is `''`. */
  readonly settings: readonly Setting[];
  /** Directory that relative paths start at. */
  readonly workingDirectory: string;
  /** mount(8) gives its helpers `rw` unasked: then it means nothing. */
  readonly fromMountHelper?: boolean;
}

export interface Setting {
  readonly name: string;
  readonly value: string;
}

const VALUE_OPTIONS = [
  'collections',
  'default',
  'calibs',
  'cache',
  'cache-size',
  'cache-free',
  'quota',
  'scrub',
  'whole-size',
  'verify',
  'deadline',
  'idle-timeout',
  'mirror',
  'rate-limit',
  'ca-file',
  'poll',
  'log-level',
  'transport',
  'public-key',
  'rerun',
  'rerun-root',
  'existing',
] as const;
const FLAG_OPTIONS = ['offline', 'allow_other', 'ro', 'rw'] as const;
type OptionName = (typeof VALUE_OPTIONS)[number] | (typeof FLAG_OPTIONS)[number];

/** What /etc/fstab says to others: to mount(8), systemd and the kernel. */
const FOREIGN_OPTION =
  /^(defaults|(no)?auto|(no)?user|users|owner|group|_netdev|(no)?fail|(no)?dev|(no)?suid|(no)?exec|(no)?(dir|rel|strict)?atime|(no)?diratime|a?sync|dirsync|(x-|X-|comment=).*)$/;

/** What holds where neither the command line nor the configuration says anything. */
export const DEFAULT_CACHE_SIZE = '50G';
const DEFAULT_SCRUB = '30d';
/** Milliseconds: ten years. */
const LONGEST_SCRUB = 10 * 365 * 86_400_000;
const DEFAULT_WHOLE_SIZE = '64M';

/** Splits `a,b=c`: a comma after a backslash, or within double quotes, does not divide. Throws `usage` for an unclosed quote. */
export function splitOptions(text: string): Setting[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === '\\' && i + 1 < text.length) part += text.charAt(++i);
    else if (character === '"') quoted = !quoted;
    else if (character === ',' && !quoted) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  parts.push(part);
  if (quoted) throw new ButlerfsError('usage', { what: `options '${text}'`, why: 'a double quote is not closed' });
  return parts
    .filter((text) => text !== '')
    .map((text) => {
      const equals = text.indexOf('=');
      return equals < 0 ? { name: text, value: '' } : { name: text.slice(0, equals), value: text.slice(equals + 1) };
    });
}

/**
 * Checks a request and completes it from the configuration: what is asked for wins over what its source is configured with, and that over the
 * defaults for every mount.
 *
 * @throws ButlerfsError `usage`, `unsupported`, `not-a-repository` (a name that is neither configured nor a directory).
 */
export function resolveMountOptions(request: MountRequest, configuration: Configuration, cacheDirectory: string): MountOptions {
  const given = collectSettings(request);
  const { defaults } = configuration;
  const source = parseSource(request.source, configuration, request.workingDirectory);
  const option = (name: keyof ConfiguredDefaults & OptionName, otherwise: string): string =>
    given.get(name)?.at(-1) ?? (defaults[name] as string | undefined) ?? otherwise;

  const cache = given.get('cache')?.at(-1);
  const caFile = given.get('ca-file')?.at(-1);
  const mirrors = given.has('mirror') ? parseMirrors(source, given.get('mirror')!, request.workingDirectory) : configuredMirrors(source);
  const key = given.get('public-key')?.at(-1);
  const publicKey = key === undefined ? configuredKey(source.named) : readPublicKey(key, request.workingDirectory);
  return {
    source: source.asGiven,
    mountPoint: resolve(request.workingDirectory, nonEmpty(request.mountPoint, 'mount point')),
    collections: given.has('collections')
      ? given.get('collections')!.flatMap(splitList)
      : (source.named?.collections ?? defaults.collections ?? []),
    ...calibrationsOf({ ...defaults.calibs, ...source.named?.calibs, ...parseCalibrations(given.get('calibs') ?? []) }),
    defaults: { ...defaults.default, ...source.named?.default, ...parseKeyValues(given.get('default') ?? []) },
    aliases: configuration.aliases,
    ...(configuration.flavors === undefined ? {} : { flavors: configuration.flavors }),
    cacheDirectory: cache === undefined ? (defaults.cache ?? cacheDirectory) : resolve(request.workingDirectory, nonEmpty(cache, 'cache')),
    ...(publicKey === undefined ? {} : { publicKey }),
    wholeSize: parseSize(option('whole-size', DEFAULT_WHOLE_SIZE), 'whole-size'),
    cacheLimit: parseSize(option('cache-size', DEFAULT_CACHE_SIZE), 'cache-size'),
    cacheFree: optionalSize(option('cache-free', ''), 'cache-free', { allowZero: true }),
    quota: optionalSize(option('quota', ''), 'quota'),
    scrub: parseDuration(option('scrub', DEFAULT_SCRUB), 'scrub', { allowZero: true, longest: LONGEST_SCRUB }),
    offline: given.has('offline'),
    verify: oneOf(option('verify', 'fetch'), ['fetch', 'open'], 'verify'),
    allowOther: given.has('allow_other') || (defaults.allow_other ?? false),
    deadline: parseDuration(option('deadline', '60s'), 'deadline'),
    idleTimeout: parseDuration(option('idle-timeout', '10s'), 'idle-timeout'),
    mirrors,
    rateLimit: optionalSize(option('rate-limit', ''), 'rate-limit'),
    caFile: caFile === undefined ? (defaults['ca-file'] ?? null) : resolve(request.workingDirectory, nonEmpty(caFile, 'ca-file')),
    pollInterval: parseDuration(option('poll', '10s'), 'poll', { allowZero: true }),
    transport: oneOf(option('transport', 'auto'), TRANSPORTS, 'transport'),
    logLevel: oneOf(option('log-level', 'info'), LOG_LEVELS, 'log-level'),
  };
}

/** `KEY=VALUE` texts as a record. Throws `usage` for a text of another form. */
export function parseKeyValues(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, key, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.+)$/s.exec(text) ?? [];
      if (key === undefined || value === undefined) {
        throw new ButlerfsError('usage', { what: `'${text}' is not KEY=VALUE`, advice: 'write for example instrument=HSC' });
      }
      return [key, value];
    }),
  );
}

/**
 * `bias=COLLECTION,flat=COLLECTION` texts: which collections are searched for a dataset type, in place of the search path. A type that comes again adds to its
 * own. Throws `usage` for a text of another form.
 */
export function parseCalibrations(texts: readonly string[]): Record<string, string[]> {
  const chosen = new Map<string, string[]>();
  for (const part of texts.flatMap((text) => text.split(','))) {
    const [, type, collection] = /^\s*([^=\s]+)\s*=\s*(.*\S)\s*$/s.exec(part) ?? [];
    if (type === undefined || collection === undefined || collection.includes('\0'))
      throw new ButlerfsError('usage', {
        what: `calibs: '${part}' is not TYPE=COLLECTION`,
        advice: 'write for example bias=HSC/calib,flat=HSC/calib',
      });
    chosen.set(type, [...(chosen.get(type) ?? []), collection]);
  }
  return Object.fromEntries(chosen);
}

function calibrationsOf(calibrations: Readonly<Record<string, readonly string[]>>): Pick<MountOptions, 'calibrations'> {
  return Object.keys(calibrations).length === 0 ? {} : { calibrations };
}

/** The values of each option, checked for names, for what is not in this version, and for values that are missing or too many. */
function collectSettings(request: MountRequest): Map<OptionName, string[]> {
  const given = new Map<OptionName, string[]>();
  const known = [...VALUE_OPTIONS, ...FLAG_OPTIONS];
  for (const { name, value } of request.settings) {
    if (FOREIGN_OPTION.test(value === '' ? name : `${name}=${value}`)) continue;
    if (!isOption(name)) {
      throw new ButlerfsError('usage', {
        what: `unknown mount option '${name}'`,
        advice: didYouMean(name.length > 3 ? nearestNames(name, known, 1) : []) ?? `known: ${known.join(', ')}`,
      });
    }
    const isFlag = (FLAG_OPTIONS as readonly string[]).includes(name);
    if (isFlag !== (value === '')) {
      throw new ButlerfsError('usage', { what: `mount option '${name}'`, why: isFlag ? 'takes no value' : `needs a value: ${name}=...` });
    }
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  refuseWriting(given, request.fromMountHelper ?? false);
  return given;
}

function refuseWriting(given: ReadonlyMap<OptionName, readonly string[]>, rwIsMeaningless: boolean): void {
  const asked = (['rerun', 'rerun-root', 'existing'] as const).find((name) => given.has(name));
  if (asked === undefined && (rwIsMeaningless || !given.has('rw'))) return;
  throw new ButlerfsError('unsupported', {
    what: asked === undefined ? "option 'rw'" : `option '${asked}'`,
    why: 'writable mounts are not in this version',
    advice: 'mount without it: read-only',
  });
}

/** Null where nothing is said. */
function optionalSize(text: string, option: string, settings: { readonly allowZero?: boolean } = {}): number | null {
  return text === '' ? null : parseSize(text, option, settings);
}

function isOption(name: string): name is OptionName {
  return [...VALUE_OPTIONS, ...FLAG_OPTIONS].some((known) => known === name);
}

function splitList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) {
    throw new ButlerfsError('usage', { what: `collections: '${text}'`, why: 'a name between the commas is missing' });
  }
  return names;
}

function oneOf<const T extends string>(value: string, known: readonly T[], option: string): T {
  const found = known.find((name) => name === value);
  if (found !== undefined) return found;
  throw new ButlerfsError('usage', {
    what: `${option}: '${value}'`,
    why: 'no such choice',
    advice: didYouMean(nearestNames(value, known, 1)) ?? `choose ${known.join(', ')}`,
  });
}

function nonEmpty(text: string, what: string): string {
  if (text === '' || text.includes('\0')) throw new ButlerfsError('usage', { what: `the ${what} is empty or holds a NUL` });
  return text;
}
