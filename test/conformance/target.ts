/** A mounted directory that a conformance suite is run on, and the programs that are run in it. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DirectoryStatistics } from '../../mounts/directory/contract.js';
import { projectDirectory } from '../../common/program-file.js';
import { runSuccessfully } from '../support/run.js';
import { eventually, temporaryDirectory } from '../support/temporary.js';
import { Agent } from './agent.js';
import { lend, takeBack } from './long-directory.js';

/** What a target has of what not all have. Where it lacks something, the suites say what comes instead. */
export interface Capabilities {
  /** Other users may look in, root is served as root, device nodes and set-ID bits can be made: a mount of root's. */
  readonly otherUsers: boolean;
  /** What is made belongs to the one who made it. */
  readonly callerOwnership: boolean;
  /** st_ino is that of the file behind. */
  readonly inodeNumbers: boolean;
  /** Times are kept as they are set, each by itself. Else: both at once, as milliseconds, and none before 1970. */
  readonly exactTimes: boolean;
  /** Names may be of any bytes. Else: EILSEQ for what is no UTF-8. */
  readonly byteNames: boolean;
  readonly birthTime: boolean;
  /** fallocate(2), as far as FUSE has it. */
  readonly allocation: boolean;
  /** lseek(2) knows holes. */
  readonly holes: boolean;
  /** renameat2(2) with flags. */
  readonly renameFlags: boolean;
  /** O_TMPFILE. */
  readonly temporaryFiles: boolean;
  readonly accessLists: boolean;
  /** What is open is itself, whatever becomes of its names: the transport speaks of inodes. Else: of paths. */
  readonly inodes: boolean;
}

export interface TargetOptions {
  readonly name: string;
  /** 'none': nothing is mounted, and what the suites expect is asked of the file system behind itself. */
  readonly transport: 'kernel' | 'libfuse' | 'none';
  /** Options of scripts/mount-directory. */
  readonly options: readonly string[];
  /** Whether root mounts; else an ordinary user through fusermount3. */
  readonly asRoot: boolean;
  readonly can: Capabilities;
}

export interface ProgramOptions {
  /** Seconds that the program may take; default 20. */
  readonly seconds?: number;
  /** Run as this process is, also where the mount is an ordinary user's. */
  readonly privileged?: boolean;
}

/** A user that owns nothing else: nobody. */
const ORDINARY = 65534;
const MOUNT_DEADLINE = 20_000;

/** Programs are Python, and have backslashes. */
export const python = String.raw;

/** Numbers of {@link DirectoryStatistics} that are as before when nobody uses the mount. */
export type Held = Pick<DirectoryStatistics, 'inodes' | 'descriptors' | 'open' | 'files' | 'locks' | 'waiting'>;

export class Target {
  readonly name: string;
  readonly can: Capabilities;
  readonly #options: TargetOptions;
  #place = '';
  #behind = '';
  #mount = '';
  #daemon: ChildProcess | undefined;
  #agent: Agent | undefined;
  #said = '';
  #subject = '';
  #programs = 0;
  readonly #clean = (): void => {
    this.#detach();
    this.#agent?.kill();
    this.#daemon?.kill('SIGKILL');
  };

  constructor(options: TargetOptions) {
    this.name = options.name;
    this.can = options.can;
    this.#options = options;
  }

  get isMounted(): boolean {
    return this.#options.transport !== 'none';
  }

  get pid(): number {
    return this.#daemon!.pid!;
  }

  /** Mounts. Throws with the daemon's own words where it does not. */
  async start(): Promise<void> {
    process.once('exit', this.#clean);
    this.#place = temporaryDirectory('conformance');
    this.#behind = join(this.#place, 'behind');
    this.#mount = this.isMounted ? join(this.#place, 'mount') : this.#behind;
    chmodSync(this.#place, 0o755);
    for (const directory of new Set([this.#behind, this.#mount])) mkdirSync(directory, { mode: 0o755 });
    lend(this.#behind);
    if (this.isMounted) await this.#startDaemon();
    const isOrdinary = this.#isOrdinary();
    const [uid, gid] = isOrdinary ? [ORDINARY, ORDINARY] : [process.getuid!(), process.getgid!()];
    const inside = isOrdinary ? ['nsenter', '-m', '-t', `${this.pid}`] : [];
    this.#agent = new Agent([...inside, 'python3'], [this.#mount, this.#behind, `${uid}`, `${gid}`]);
  }

  /** Whether root makes an ordinary user mount. */
  #isOrdinary(): boolean {
    return !this.#options.asRoot && process.getuid?.() === 0;
  }

  async #startDaemon(): Promise<void> {
    const [command, ...args] = this.#command();
    if (this.#isOrdinary()) for (const directory of [this.#behind, this.#mount]) chownSync(directory, ORDINARY, ORDINARY);
    this.#daemon = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#daemon.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    await this.#report(this.#daemon);
  }

  #command(): string[] {
    const built = join(projectDirectory(), 'dist/scripts/directory/main.js');
    if (!existsSync(built)) throw new Error('dist/scripts/directory/main.js is missing: run `npm run build` first');
    const { transport, options } = this.#options;
    const mount = [process.execPath, built, '--foreground', '--transport', transport, ...options, '--', this.#behind, this.#mount];
    if (!this.#isOrdinary()) return mount;
    // A /dev/fuse that everybody may open, seen by nobody else: a private mount namespace. Each program becomes the next, so that the daemon has the pid.
    const script = `set -e
mount -t tmpfs -o mode=755 none /mnt
mknod -m 666 /mnt/fuse c 10 229
mount --bind /mnt/fuse /dev/fuse
exec setpriv --reuid=${ORDINARY} --regid=${ORDINARY} --clear-groups "$@"`;
    return ['unshare', '-m', '--propagation', 'private', 'bash', '-c', script, 'bash', ...mount];
  }

  #report(daemon: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (why: string): void => reject(new Error(`${this.name}: ${why}: ${this.#said}`));
      const timer = setTimeout(() => failed('not mounted in time'), MOUNT_DEADLINE);
      const over = (act: () => void): void => {
        clearTimeout(timer);
        act();
      };
      daemon.once('message', (message) => {
        const { error } = message as { readonly error: string | null };
        over(() => (error === null ? resolve() : failed(error)));
      });
      daemon.once('error', (error) => over(() => failed(error.message)));
      daemon.once('exit', (status) => over(() => failed(`the daemon ended with ${status ?? 'a signal'}`)));
    });
  }

  /** From here on programs run in new directories below one of this name. */
  begin(subject: string): void {
    this.#subject = subject;
    this.#programs = 0;
  }

  /** Runs a program in a new directory of the mount, and returns what it gave to `show`. See agent.py for what it finds. */
  async run(program: string, options: ProgramOptions = {}): Promise<unknown> {
    return this.#run(program, join(this.#subject, `${++this.#programs}`), options);
  }

  /** Runs a program that touches nothing before its own first line. */
  runInRoot(program: string, options: ProgramOptions = {}): Promise<unknown> {
    return this.#run(program, null, options);
  }

  #run(program: string, place: string | null, { seconds = 20, privileged = false }: ProgramOptions): Promise<unknown> {
    return this.#agent!.run({ program, place, seconds, privileged, can: this.can });
  }

  /** Everything of the subject (default: of all) is behind the mount as it is seen in it. */
  async expectSame(subject = this.#subject): Promise<void> {
    const program = python`
      show(differences=differences(os.fsencode(mount), os.fsencode(behind), can, ${JSON.stringify(subject)}.encode()))
    `;
    expect(await this.#run(program, null, { seconds: 50 })).toEqual({ differences: [] });
  }

  /** The kernel forgets all inodes of the mount that are not in use. */
  async shrink(): Promise<void> {
    // Mounting a file system again makes the kernel drop its names, and only those.
    const program = python`
      MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_NOATIME = 2, 4, 32, 1024
      flags = MS_REMOUNT | MS_NOATIME | (0 if can['otherUsers'] else MS_NOSUID | MS_NODEV)
      show(outcome=outcome(system, 'mount', 0, mount, 0, flags, 0))
    `;
    expect(await this.#run(program, null, { privileged: true })).toEqual({ outcome: 0 });
  }

  async statistics(): Promise<DirectoryStatistics> {
    const before = this.#said.length;
    process.kill(this.pid, 'SIGUSR2');
    let line: string | undefined;
    await eventually('the statistics', () => (line = /^\{.*\}\n/m.exec(this.#said.slice(before))?.[0]) !== undefined);
    return JSON.parse(line!) as DirectoryStatistics;
  }

  async held(): Promise<Held> {
    const { inodes, descriptors, open, files, locks, waiting } = await this.statistics();
    return { inodes, descriptors, open, files, locks, waiting };
  }

  /** Descriptors that the daemon has open. */
  openDescriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** What the daemon said that was not asked: failures of its own. */
  complaints(): string {
    return this.#said.replace(/^\{.*\}\n/gm, '');
  }

  /** Unmounts by any means, ends the daemon, and removes the files. */
  async dispose(): Promise<void> {
    this.#agent?.kill();
    this.#detach();
    const daemon = this.#daemon;
    if (daemon !== undefined && daemon.exitCode === null && daemon.signalCode === null) {
      await eventually('the daemon ending', () => daemon.exitCode !== null || daemon.signalCode !== null, 5_000).catch(() => {
        daemon.kill('SIGKILL');
      });
    }
    process.removeListener('exit', this.#clean);
    if (this.#place === '') return;
    takeBack(this.#behind);
    // A path that is too long for Node may be left where a test failed.
    await runSuccessfully('rm', ['-rf', this.#place]);
  }

  #detach(): void {
    if (this.#daemon?.pid === undefined) return;
    const unmount = this.#options.asRoot || process.getuid?.() === 0 ? ['umount', '-l', this.#mount] : ['fusermount3', '-uz', this.#mount];
    const inside = this.#options.asRoot ? [] : ['nsenter', '-m', '-t', `${this.pid}`];
    const [command, ...args] = process.getuid?.() === 0 ? [...inside, ...unmount] : unmount;
    spawnSync(command!, args, { timeout: 10_000, stdio: 'ignore' });
  }
}
