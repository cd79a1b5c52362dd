/** What wrappers leave as it is. */

import type { Remote } from './contract.js';

/** A remote that does what `inner` does: a wrapper spreads it and puts its own operations in place of these. */
export function delegateRemote(inner: Remote): Remote {
  return {
    kind: inner.kind,
    url: inner.url,
    urlOf: (path) => inner.urlOf(path),
    stat: (path, options) => inner.stat(path, options),
    open: (path, options) => inner.open(path, options),
    ...(inner.list === undefined ? {} : { list: (path, options) => inner.list!(path, options) }),
    ...(inner.capabilities === undefined ? {} : { capabilities: () => inner.capabilities!() }),
    ...(inner.mirrors === undefined ? {} : { mirrors: () => inner.mirrors!() }),
    close: () => inner.close(),
  };
}
