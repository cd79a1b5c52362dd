/**
 * Lint rules. The one that matters most is the room rule: a room imports only rooms below it (docs/architecture.md).
 */

import tseslint from 'typescript-eslint';

/** From the bottom up. */
const rooms = ['common', 'sky', 'registry', 'proxy', 'cache', 'fs', 'mounts', 'cli'];
const outside = ['scripts', 'test', 'bench'];

/** What each room is for, and so why it does not reach up. */
const reasons = {
  common: 'common/ is what every room stands on: it imports none of them',
  sky: 'sky/ is pure geometry and arithmetic: it knows no repository and does no I/O',
  registry: 'registry/ answers from the catalogue and never waits for a remote: it knows neither remotes nor the cache',
  proxy: 'proxy/ brings bytes: it knows nothing of who caches or mounts them',
  cache: 'cache/ keeps verified bytes: it knows nothing of trees, mounts or the command',
  fs: 'fs/ knows nothing of HTTP or SQL: it works with the contracts it is given',
  mounts: 'mounts/ puts a mount together: it works without the command line',
  cli: 'cli/ is the product: tests, benchmarks and scripts use it, not the other way round',
};

const libraries = {
  common: ['undici', 'ssh2', 'better-sqlite3', 'kysely', 'pg', 'mysql2', 'koffi'],
  sky: [
    'undici',
    'ssh2',
    'better-sqlite3',
    'kysely',
    'pg',
    'mysql2',
    'koffi',
    'node:fs',
    'node:fs/promises',
    'node:net',
    'node:http',
    'node:child_process',
  ],
  registry: ['undici', 'ssh2', 'koffi', 'node:net', 'node:http', 'node:https'],
  proxy: ['better-sqlite3', 'kysely', 'pg', 'mysql2', 'koffi'],
  fs: ['undici', 'ssh2', 'better-sqlite3', 'kysely', 'pg', 'mysql2', 'node:http', 'node:https'],
};

function message(room) {
  return `${reasons[room]} (docs/architecture.md).`;
}

/** Imports forbidden in a room: everything above it, everything outside, and libraries that are another room's business. */
function roomRule(room) {
  const above = [...rooms.slice(rooms.indexOf(room) + 1), ...outside];
  const patterns = [{ regex: `^(\\.\\./)+(${above.join('|')})/`, message: message(room) }];
  if (room === 'fs') {
    patterns.push(
      { regex: '^(\\.\\./)+cache/(?!contract\\.js$)', message: message(room) },
      { regex: '^(\\.\\./)+registry/(?!(contract|keys|values|moment|coadd-flavors)\\.js$)', message: message(room) },
      { regex: '^(\\.\\./)+proxy/', message: message(room) },
    );
  }
  const paths = (libraries[room] ?? []).map((name) => ({ name, message: message(room) }));
  return {
    files: [`${room}/**/*.ts`],
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': ['error', { paths, patterns }] },
  };
}

export default tseslint.config(
  { ignores: ['build/', 'dist/', 'node_modules/', 'coverage/', 'bench/results/'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      // Indexing an array gives `T | undefined` here; where the index is known to be good, `!` says so.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // It takes a condition that another thread or a callback changes for one that never changes.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // An interface may promise less than its implementation: `close(): void` there, `Promise<void>` here.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { inheritedMethods: false } }],
      // Rules of taste that find no mistakes.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-unnecessary-type-arguments': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Export by name: a thing has one name wherever it is used.' },
      ],
    },
  },
  ...rooms.map(roomRule),
  {
    files: ['*.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
