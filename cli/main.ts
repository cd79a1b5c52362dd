#!/usr/bin/env node
/** The `butlerfs` command. */

import { runAndExit } from './exit.js';
import { run } from './program.js';
import type { Verbs } from './program.js';

const verbs: Verbs = {
  mount: () => import('./mount.js'),
  umount: () => import('./umount.js'),
  status: () => import('./status.js'),
  index: () => import('./index.js'),
  types: () => import('./types.js'),
  collections: () => import('./collections.js'),
  query: () => import('./query.js'),
  watch: () => import('./watch.js'),
  offline: () => import('./offline.js'),
  prefetch: () => import('./prefetch.js'),
  cache: () => import('./cache.js'),
  catalogue: () => import('./catalogue.js'),
  define: () => import('./define.js'),
  explain: () => import('./explain.js'),
  publish: () => import('./publish.js'),
  pack: () => import('./pack.js'),
  unpack: () => import('./unpack.js'),
};

const words = process.argv.slice(2);
await runAndExit(() => run(words, verbs), words.includes('--debug'));
