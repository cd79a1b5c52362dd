/** Where the files of a repository are on this host, for whoever publishes or checks it. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stat } from 'node:fs/promises';
import { openRemote } from '../../proxy/assemble.js';
import { ButlerfsError } from '../../common/errors.js';
import { parseButlerConfiguration } from '../../registry/open.js';
import type { Gen3Configuration } from '../../registry/open.js';
import { readButlerYaml } from '../formats/butler-yaml.js';
import { missingRepository } from '../formats/find.js';
import { formatSize } from '../units.js';

/** `elsewhere`: on this host, outside of the repository. */
export type LocalFile = { readonly path: string; readonly place: 'inside' | 'elsewhere' } | { readonly place: 'remote' };

export function localFile(directory: string, location: string): LocalFile {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) return { path: join(directory, location), place: 'inside' };
  if (!/^file:\/\/\//i.test(location)) return { place: 'remote' };
  try {
    return { path: fileURLToPath(location), place: 'elsewhere' };
  } catch {
    return { place: 'remote' };
  }
}

/** The configuration of the repository in a directory. Throws `not-a-repository`, `unsupported-repository`. */
export async function readLocalConfiguration(directory: string, signal: AbortSignal): Promise<Gen3Configuration> {
  if (!(await stat(directory).catch(() => undefined))?.isDirectory()) {
    throw new ButlerfsError('not-a-repository', {
      what: directory,
      why: 'there is no such directory',
      advice: 'a repository is published where its files are',
    });
  }
  const remote = openRemote(directory);
  try {
    const text = await readButlerYaml(remote, signal);
    if (text === undefined) throw await missingRepository({ remote, directory });
    return parseButlerConfiguration(text, directory);
  } finally {
    await remote.close();
  }
}

const PROGRESS_INTERVAL = 200;

/** Says how far work on many files is, a few times a second: files, bytes, rate, time left. */
export class FileProgress {
  readonly #say: (line: string) => void;
  readonly #verb: string;
  readonly #total: { readonly files: number; readonly bytes: number };
  readonly #began = performance.now();
  #said = 0;
  #files = 0;
  #bytes = 0;
  /** Bytes that were read, which tell the rate. */
  #read = 0;

  constructor(verb: string, total: { readonly files: number; readonly bytes: number }, say: (line: string) => void) {
    this.#verb = verb;
    this.#total = total;
    this.#say = say;
  }

  /** One more file is done; `read` of its bytes had to be read. */
  done(bytes: number, read: number): void {
    this.#files++;
    this.#bytes += bytes;
    this.#read += read;
    const now = performance.now();
    if (now - this.#said < PROGRESS_INTERVAL) return;
    this.#said = now;
    const rate = this.#read / Math.max(0.001, (now - this.#began) / 1000);
    const left = Math.max(0, this.#total.bytes - this.#bytes);
    const time = rate > 0 && left > 0 ? `, ${formatTime(left / rate)} left` : '';
    const total = Math.max(this.#total.bytes, this.#bytes);
    this.#say(
      `${this.#verb}: ${this.#files} of ${this.#total.files} files, ${formatSize(this.#bytes)} of ${formatSize(total)}, ${formatSize(rate)}/s${time}`,
    );
  }
}

function formatTime(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (number: number): string => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
