/**
 * Extended attributes by path. Access control lists are not among them: the kernel asks for them through libfuse 2 without heeding them, and better none than
 * ones that do not hold.
 */

import { Errno, systemCallError } from '../../common/errors.js';
import type { FileSystem } from '../contract.js';
import type { Later } from './later.js';
import { required } from './required.js';
import type { Resolver } from './resolver.js';

const ACCESS_LIST = /^system\.posix_acl_(access|default)$/;

export class ExtendedAttributes {
  readonly #fileSystem: FileSystem;
  readonly #resolver: Resolver;

  constructor(fileSystem: FileSystem, resolver: Resolver) {
    this.#fileSystem = fileSystem;
    this.#resolver = resolver;
  }

  /** Undefined where there is none of that name. */
  get(path: string, name: string): Later<Buffer | undefined> {
    refuseAccessList(name);
    return this.#resolver.at(path, ({ node }) => this.#fileSystem.attribute(node, this.#resolver.name(name)));
  }

  /** Names, each with a closing NUL. */
  names(path: string): Later<Buffer> {
    return this.#resolver.at(path, ({ node }) => {
      const names = this.#fileSystem.attributeNames(node);
      if (!names.includes('system.posix_acl_')) return names;
      const all = names.toString('latin1').split('\0').slice(0, -1);
      const kept = all.filter((name) => !ACCESS_LIST.test(name)).map((name) => `${name}\0`);
      return Buffer.from(kept.join(''), 'latin1');
    });
  }

  set(path: string, name: string, value: Buffer, flags: number): Later<void> {
    refuseAccessList(name);
    return this.#resolver.at(path, ({ node }) => {
      const set = required(this.#fileSystem.setAttribute);
      return this.#resolver.done(set.call(this.#fileSystem, node, this.#resolver.name(name), value, flags, false));
    });
  }

  remove(path: string, name: string): Later<void> {
    refuseAccessList(name);
    return this.#resolver.at(path, ({ node }) => {
      const remove = required(this.#fileSystem.removeAttribute);
      return this.#resolver.done(remove.call(this.#fileSystem, node, this.#resolver.name(name)));
    });
  }
}

function refuseAccessList(name: string): void {
  if (ACCESS_LIST.test(name)) throw systemCallError(Errno.EOPNOTSUPP);
}
