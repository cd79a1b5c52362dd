import { defineConfig } from 'vitest/config';

/** Tests that mount, or start servers for a whole mount. */
const mounting = ['test/**/*.test.ts', 'mounts/**/*.test.ts', 'cli/**/*.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['{common,sky,registry,proxy,cache,fs,scripts,bench}/**/*.test.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'mounts',
          include: mounting,
          // Mounts, servers and the machine's two cores are shared: files run one after another, so that a failure is never another test's load.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
