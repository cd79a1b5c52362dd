/** Mounts a plain directory as scripts/mount-directory does, and cleans up whatever happens. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DirectoryStatistics } from '../../mounts/directory/contract.js';
import { isMounted } from './mounted.js';
import { projectDirectory } from '../../common/program-file.js';
import { run } from './run.js';
import { eventually, removeDirectory, temporaryDirectory } from './temporary.js';

const MOUNT_DEADLINE = 20_000;

export class MountedDirectory {
  /** What is served, and where. */
  readonly backing: string;
  readonly path: string;
  readonly #place: string;
  readonly #options: readonly string[];
  #daemon: ChildProcess | undefined;
  #said = '';

  /** `options`: of scripts/mount-directory. `place`: a new directory, removed in the end. */
  constructor(options: readonly string[] = [], place = temporaryDirectory('directory')) {
    this.#place = place;
    this.#options = options;
    this.backing = join(this.#place, 'backing');
    this.path = join(this.#place, 'mount');
    mkdirSync(this.backing, { recursive: true });
    mkdirSync(this.path);
  }

  /** The process that serves it. */
  get pid(): number {
    return this.#daemon!.pid!;
  }

  /** What it has complained of since it was mounted first. */
  get complaints(): string {
    return this.#said.replaceAll(/^\{.*\}\n/gm, '');
  }

  get hasEnded(): boolean {
    return this.#daemon!.exitCode !== null || this.#daemon!.signalCode !== null;
  }

  /** Mounts it (again). Throws with the program's own words where it does not mount. */
  async mount(): Promise<void> {
    const program = join(projectDirectory(), 'dist/scripts/directory/main.js');
    if (!existsSync(program)) throw new Error('dist/scripts/directory/main.js is missing: run `npm run build` first');
    const daemon = spawn(process.execPath, [program, '--foreground', ...this.#options, this.backing, this.path], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#daemon = daemon;
    daemon.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    const { error } = await new Promise<{ readonly error: string | null }>((resolve) => {
      const timer = setTimeout(() => resolve({ error: 'it does not say that it is ready' }), MOUNT_DEADLINE);
      daemon.once('message', (message) => resolve(message as { readonly error: string | null }));
      daemon.once('exit', () => resolve({ error: `it ended: ${this.#said}` }));
      daemon.once('exit', () => clearTimeout(timer));
      daemon.once('message', () => clearTimeout(timer));
    });
    if (error !== null) throw new Error(`mount-directory: ${error}`);
  }

  kill(signal: NodeJS.Signals): void {
    this.#daemon!.kill(signal);
  }

  async statistics(): Promise<DirectoryStatistics> {
    const before = this.#said.length;
    this.kill('SIGUSR2');
    let line: string | undefined;
    await eventually('the statistics', () => (line = /^\{.*\}\n/m.exec(this.#said.slice(before))?.[0]) !== undefined);
    return JSON.parse(line!) as DirectoryStatistics;
  }

  /** Unmounts, also where files are open. */
  async unmount(): Promise<void> {
    for (const [command, ...args] of [
      ['umount', '-l', this.path],
      ['fusermount3', '-uz', this.path],
    ]) {
      if (!isMounted(this.path)) return;
      await run(command!, args, { timeout: 10_000 }).catch(() => undefined);
    }
  }

  /** For the end of a test. */
  async dispose(): Promise<void> {
    await this.unmount();
    if (this.#daemon !== undefined && !this.hasEnded) {
      await eventually('the daemon ending', () => this.hasEnded, 5_000).catch(() => this.kill('SIGKILL'));
    }
    removeDirectory(this.#place);
  }
}
