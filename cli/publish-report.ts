/** Publishes or checks, and says what came of it. */

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { checkPublication } from '../mounts/publication/check.js';
import type { FileProblem } from '../mounts/publication/hash-catalogued.js';
import { generateKey, keyIdOf, readPrivateKey, readPublicKey } from '../mounts/publication/keys.js';
import { publish } from '../mounts/publication/publish.js';
import type { PublishReport } from '../mounts/publication/publish.js';
import { formatSize } from '../mounts/units.js';
import { interruptSignal } from './exit.js';
import { endProgress, print, remark, showProgress } from './output.js';
import { printable } from './table.js';

export interface PublishFlags {
  readonly key?: string;
  readonly generateKey?: string;
  readonly jobs?: string;
  readonly all?: boolean;
  readonly keepGoing?: boolean;
  readonly allowMissing?: boolean;
  readonly verify?: boolean;
  readonly publicKey?: string;
  readonly json?: boolean;
}

const MOST_JOBS = 256;

export async function runPublish(directory: string | undefined, flags: PublishFlags): Promise<void> {
  refuseContradictions(directory, flags);
  const jobs = parseJobs(flags.jobs);
  if (flags.verify === true) {
    await check(resolve(directory!), flags.publicKey!, jobs, flags.json === true);
    return;
  }
  const keyFile =
    flags.generateKey === undefined ? flags.key! : await makeKey(flags.generateKey, flags.json === true && directory === undefined);
  if (directory === undefined) return;
  const report = await publish(resolve(directory), {
    key: readPrivateKey(keyFile),
    jobs,
    all: flags.all === true,
    keepGoing: flags.keepGoing === true,
    allowMissing: flags.allowMissing === true,
    onProgress: showProgress,
    onRemark: (line) => {
      endProgress();
      remark(line);
    },
    signal: interruptSignal(),
  });
  endProgress();
  await print(flags.json === true ? `${JSON.stringify(report)}\n` : describe(report));
  failWith(
    report.problems,
    `nothing was published of ${report.directory}`,
    flags.keepGoing === true ? undefined : '--keep-going names them all',
  );
}

async function check(directory: string, key: string, jobs: number, json: boolean): Promise<void> {
  const publicKey = readPublicKey(key, process.cwd());
  const report = await checkPublication(directory, { publicKey, jobs, onProgress: showProgress, signal: interruptSignal() });
  endProgress();
  const { manifest, files, bytes, uncovered, problems } = report;
  const facts = `${directory}: serial ${manifest.serial} of ${manifest.time}, signed by ${manifest.keyId}; ${files} files, ${formatSize(bytes)}${
    uncovered === 0 ? '' : `, ${uncovered} more without chunk digests`
  }`;
  await print(json ? `${JSON.stringify(report)}\n` : `${facts}\n`);
  failWith(problems, `${directory} is not what was published`, undefined);
}

/** Names every problem, and ends with an error where there is one. */
function failWith(problems: readonly FileProblem[], what: string, advice: string | undefined): void {
  const [first] = problems;
  if (first === undefined) return;
  for (const { message } of problems) remark(printable(message));
  throw new ButlerfsError(first.code, { what, why: problems.length === 1 ? 'of one file' : `of ${problems.length} files`, advice });
}

function describe({ directory, published, changed, keyId, ...counts }: PublishReport): string {
  const left = [
    [counts.remote, 'on other hosts'],
    [counts.unreadable, 'elsewhere on this host and unreadable'],
    [counts.missing, 'missing'],
  ].filter(([count]) => count !== 0);
  const lines = [
    `${directory}: ${counts.files} files, ${formatSize(counts.bytes)}; ${counts.hashed} hashed (${formatSize(counts.hashedBytes)})`,
    ...(left.length === 0 ? [] : [`without digests: ${left.map(([count, why]) => `${count} ${why}`).join(', ')}`]),
    ...(published === undefined
      ? []
      : [
          `${changed ? 'published' : 'nothing changed:'} serial ${published.serial} of ${published.time}, signed by ${keyId}`,
          `catalogue ${formatSize(published.catalogue.size)}, digests ${formatSize(published.digests.size)} (${published.chunks} chunks)`,
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Says which key was made, on standard output where that is all that is asked for. */
async function makeKey(prefix: string, json: boolean): Promise<string> {
  const made = await generateKey(resolve(prefix));
  const facts = { ...made, keyId: keyIdOf(made.publicKey) };
  if (json) await print(`${JSON.stringify(facts)}\n`);
  else remark(`made ${made.privateFile}, to be kept secret, and ${made.publicFile}: ${made.publicKey}`);
  return made.privateFile;
}

function refuseContradictions(directory: string | undefined, { key, generateKey: prefix, verify, publicKey }: PublishFlags): void {
  const usage = (what: string, advice: string): never => {
    throw new ButlerfsError('usage', { what, advice });
  };
  if (verify === true) {
    if (publicKey === undefined) usage('--verify needs a public key', 'butlerfs publish --verify DIRECTORY --public-key KEY');
    if (key !== undefined || prefix !== undefined) usage('--verify signs nothing', 'give --public-key only');
  } else {
    if (publicKey !== undefined) usage('--public-key is for --verify', 'sign with --key');
    if (key !== undefined && prefix !== undefined) usage('--key and --generate-key exclude each other', 'give one of them');
    if (key === undefined && prefix === undefined)
      usage('a key to sign with is missing', 'give --key FILE, or --generate-key PREFIX to make one');
  }
  if (directory === undefined && (verify === true || prefix === undefined))
    usage('the repository is missing', 'butlerfs publish DIRECTORY --key FILE');
}

function parseJobs(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const jobs = Number(text);
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= MOST_JOBS) return jobs;
  throw new ButlerfsError('usage', { what: `jobs: '${text}'`, why: `it must be a number from 1 to ${MOST_JOBS}` });
}
