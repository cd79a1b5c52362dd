/** Who to be at a host: keys of the agent, keys in files, a password that was configured for it. */

import { readFile, stat } from 'node:fs/promises';
import ssh2 from 'ssh2';
import type { AnyAuthMethod, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2';
import { systemCodeOf } from '../errors.js';
import type { HostSettings } from './config.js';

const { BaseAgent, OpenSSHAgent, utils } = ssh2;

/** Milliseconds that an agent has to say which keys it holds. */
const AGENT_DEADLINE = 5_000;

export interface Identities {
  /** To be tried in order. */
  readonly methods: readonly AnyAuthMethod[];
  /** What is offered, in words: `the agent (2 keys)`, `/home/me/.ssh/id_rsa`. */
  readonly offered: readonly string[];
  /** What could not be offered, and why, as clauses. */
  readonly problems: readonly string[];
  /** What to do about the first problem that only the user can cure. */
  readonly advice: string | undefined;
}

/** A key in a file, as far as it could be read. */
interface FileKey {
  readonly path: string;
  readonly publicKey: Buffer | undefined;
  /** Undefined where only the agent can sign with it. */
  readonly privateKey: ParsedKey | undefined;
  readonly problem: string | undefined;
  readonly advice: string | undefined;
}

/**
 * Keys as ssh(1) offers them: those of the agent that identity files name, its others, then what else files hold; at last the password, where there is one.
 * Nobody is asked for anything. Never rejects: what cannot be read is among `problems`.
 */
export async function findIdentities(settings: HostSettings, password: string | undefined): Promise<Identities> {
  const { user, identityFiles, identitiesOnly, agent } = settings;
  const [held, found] = await Promise.all([
    agent === undefined ? { keys: [], problem: undefined } : keysOfAgent(agent),
    Promise.all(identityFiles.map(({ path, explicit }) => readKey(path, explicit))),
  ]);
  const files = found.filter((key) => key !== undefined);
  const isNamed = (key: ParsedKey): boolean => files.some(({ publicKey }) => publicKey?.equals(key.getPublicSSH()) === true);
  const named = held.keys.filter(isNamed);
  const ofAgent = identitiesOnly ? named : [...named, ...held.keys.filter((key) => !isNamed(key))];
  const isHeld = ({ publicKey }: FileKey): boolean =>
    publicKey !== undefined && ofAgent.some((key) => key.getPublicSSH().equals(publicKey));

  const methods: AnyAuthMethod[] = [];
  const offered: string[] = [];
  if (agent !== undefined && ofAgent.length > 0) {
    methods.push({ type: 'agent', username: user, agent: new ChosenKeys(agent, ofAgent) });
    offered.push(`the agent (${ofAgent.length} ${ofAgent.length === 1 ? 'key' : 'keys'})`);
  }
  const rest = files.filter((file) => !isHeld(file));
  for (const { path, privateKey } of rest) {
    if (privateKey === undefined) continue;
    methods.push({ type: 'publickey', username: user, key: privateKey });
    offered.push(path);
  }
  if (password !== undefined) {
    methods.push({ type: 'password', username: user, password });
    offered.push('the password that was given for it');
  }
  const problems = [held.problem, ...rest.map(({ problem }) => problem)].filter((problem) => problem !== undefined);
  return { methods, offered, problems, advice: rest.find((file) => file.advice !== undefined)?.advice };
}

/** An agent that shows only some of its keys. */
class ChosenKeys extends BaseAgent<ParsedKey> {
  readonly #agent: InstanceType<typeof OpenSSHAgent>;
  readonly #keys: readonly ParsedKey[];

  constructor(socket: string, keys: readonly ParsedKey[]) {
    super();
    this.#agent = new OpenSSHAgent(socket);
    this.#keys = keys;
  }

  getIdentities(callback: (error: Error | null | undefined, keys?: ParsedKey[]) => void): void {
    callback(null, [...this.#keys]);
  }

  sign(key: ParsedKey, data: Buffer, options: SigningRequestOptions | SignCallback, callback?: SignCallback): void {
    if (typeof options === 'function') this.#agent.sign(key, data, options);
    else this.#agent.sign(key, data, options, callback);
  }
}

async function keysOfAgent(socket: string): Promise<{ readonly keys: readonly ParsedKey[]; readonly problem: string | undefined }> {
  const asking = new Promise<ParsedKey[]>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('it does not answer')), AGENT_DEADLINE);
    new OpenSSHAgent(socket).getIdentities((error, keys) => {
      clearTimeout(timer);
      if (error) reject(new Error('it does not answer'));
      else resolve((keys ?? []) as ParsedKey[]);
    });
  });
  try {
    return { keys: await asking, problem: undefined };
  } catch (error) {
    return { keys: [], problem: `the agent at ${socket} is left out: ${error instanceof Error ? error.message : ''}` };
  }
}

/** Undefined where there is no such file, and none was asked for. */
async function readKey(path: string, explicit: boolean): Promise<FileKey | undefined> {
  const left = (why: string, advice?: string): FileKey => ({
    path,
    publicKey: undefined,
    privateKey: undefined,
    problem: `${path} is left out: ${why}`,
    advice,
  });
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (error) {
    const beside = await publicKeyBeside(path);
    if (beside !== undefined) return { ...left('only its public half is here'), publicKey: beside };
    const code = systemCodeOf(error);
    if (code !== 'ENOENT') return left(`it cannot be read (${code ?? 'unknown error'})`);
    return explicit ? left('there is no such file') : undefined;
  }
  const parsed = utils.parseKey(content);
  const [key] = Array.isArray(parsed) ? (parsed as ParsedKey[]) : [parsed];
  if (key === undefined || key instanceof Error) {
    const publicKey = (await publicKeyBeside(path)) ?? publicPartOf(content);
    if (!/encrypted/i.test(key?.message ?? '')) return { ...left('its format is not known'), publicKey };
    return { ...left('it has a passphrase, and no agent holds it', `run: ssh-add ${path}`), publicKey };
  }
  const publicKey = key.getPublicSSH();
  if (!key.isPrivateKey()) return { ...left('it is a public key, and no agent holds its private one'), publicKey };
  const { uid, mode } = await stat(path);
  if (uid === process.getuid?.() && (mode & 0o077) !== 0) return { ...left('others can read it', `run: chmod 600 ${path}`), publicKey };
  return { path, publicKey, privateKey: key, problem: undefined, advice: undefined };
}

async function publicKeyBeside(path: string): Promise<Buffer | undefined> {
  const content = await readFile(`${path}.pub`, 'utf8').catch(() => undefined);
  const encoded = content?.trim().split(/\s+/)[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64');
}

/** The public key that OpenSSH's own format (PROTOCOL.key) holds in the clear also where the private one has a passphrase. */
function publicPartOf(content: Buffer): Buffer | undefined {
  const encoded = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(content.toString('latin1'))?.[1];
  if (encoded === undefined) return undefined;
  const data = Buffer.from(encoded, 'base64');
  const magic = 'openssh-key-v1\0';
  if (data.toString('latin1', 0, magic.length) !== magic) return undefined;
  let at = magic.length;
  const next = (): Buffer | undefined => {
    if (at + 4 > data.length) return undefined;
    const end = at + 4 + data.readUInt32BE(at);
    const part = end > data.length ? undefined : data.subarray(at + 4, end);
    at = end;
    return part;
  };
  // Cipher, key derivation and its options, then the number of keys.
  for (let i = 0; i < 3; i++) next();
  at += 4;
  return next();
}
