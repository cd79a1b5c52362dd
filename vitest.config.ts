import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Mounts and servers share the machine's two cores; most of them wait most of the time.
    maxWorkers: 2,
    // Those of one file that run side by side wait for deadlines.
    maxConcurrency: 10,
    projects: [
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['{common,sky,registry,proxy,cache,fs,scripts,bench}/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Tests that mount, or start servers for a whole mount.
        test: { name: 'mounts', include: ['{test,mounts,cli}/**/*.test.ts'], sequence: { groupOrder: 1 } },
      },
    ],
  },
});
