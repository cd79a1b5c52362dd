/** The mounts that the conformance suites are run on. */

import { isSuperuser } from '../support/privileges.js';
import { type Capabilities, Target, type TargetOptions } from './target.js';

/** The one switch: whether mounts through libfuse are tested, too. */
const LIBFUSE = true;

const everything: Capabilities = {
  otherUsers: true,
  callerOwnership: true,
  inodeNumbers: true,
  exactTimes: true,
  byteNames: true,
  birthTime: true,
  allocation: true,
  holes: true,
  renameFlags: true,
  temporaryFiles: true,
  accessLists: true,
  inodes: true,
};

const asRoot = ['--allow-other', '--trusted'];

const all: readonly TargetOptions[] = [
  { name: 'the file system behind itself', transport: 'none', options: [], asRoot: true, can: everything },
  {
    name: 'the kernel, which reads and writes by itself',
    transport: 'kernel',
    options: asRoot,
    asRoot: true,
    can: everything,
  },
  {
    name: 'the kernel, which asks for each read, write and lock',
    transport: 'kernel',
    options: [...asRoot, '--no-passthrough', '--locks', 'here'],
    asRoot: true,
    can: everything,
  },
  {
    name: 'the kernel, for an ordinary user',
    transport: 'kernel',
    options: [],
    asRoot: false,
    can: { ...everything, otherUsers: false },
  },
  {
    name: 'libfuse',
    transport: 'libfuse',
    options: asRoot,
    asRoot: true,
    // What libfuse 2 and its binding do not carry, as docs/transports.md says.
    can: {
      otherUsers: true,
      callerOwnership: false,
      inodeNumbers: false,
      exactTimes: false,
      byteNames: false,
      birthTime: false,
      allocation: false,
      holes: false,
      renameFlags: false,
      temporaryFiles: false,
      accessLists: false,
      inodes: false,
    },
  },
];

/** Those that this process can mount. */
export function targets(): Target[] {
  return all
    .filter(({ transport }) => transport !== 'libfuse' || LIBFUSE)
    .filter(({ asRoot: needsRoot }) => !needsRoot || isSuperuser())
    .map((options) => new Target(options));
}
