import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{common,sky,registry,proxy,cache,fs,mounts,cli,scripts,test,bench}/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Mounts, servers and the machine's two cores are shared: files run one after another, so that a failure is never another test's load.
    fileParallelism: false,
  },
});
