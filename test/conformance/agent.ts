/** The process that runs the programs of a conformance suite: agent.py, which says what they find. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { projectDirectory } from '../../common/program-file.js';
import type { Capabilities } from './target.js';

export interface Program {
  readonly program: string;
  /** Directory, relative to the mount, that it is run in; null: the root. */
  readonly place: string | null;
  readonly seconds: number;
  readonly privileged: boolean;
  readonly can: Capabilities;
}

/** Milliseconds that the agent has beyond those of the program. */
const GRACE = 5_000;

export class Agent {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  #errors = '';
  #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined;

  /** `python`: the command that runs Python; `args`: of agent.py. */
  constructor(python: readonly string[], args: readonly string[]) {
    const [command, ...words] = [...python, join(projectDirectory(), 'test/conformance/agent.py'), ...args];
    this.#process = spawn(command!, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    this.#process.stdin.on('error', () => undefined);
    createInterface(this.#process.stdout).on('line', (line) => this.#hear(line));
    this.#process.on('error', (error) => this.#end(error));
    this.#process.on('exit', () => this.#end(new Error(`the agent ended: ${this.#errors}`)));
  }

  /** What the program showed; rejects with its traceback. One at a time. */
  async run(program: Program): Promise<unknown> {
    const timer = setTimeout(() => this.kill(), program.seconds * 1000 + GRACE);
    try {
      return await new Promise((resolve, reject) => {
        if (this.#process.exitCode !== null) reject(new Error(`the agent has ended: ${this.#errors}`));
        this.#waiting = { resolve, reject };
        this.#process.stdin.write(`${JSON.stringify(program)}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #hear(line: string): void {
    const answer = JSON.parse(line) as { readonly shown: unknown } | { readonly error: string };
    if ('error' in answer) this.#waiting?.reject(new Error(`${answer.error}${this.#errors}`));
    else this.#waiting?.resolve(answer.shown);
    this.#waiting = undefined;
  }

  #end(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
