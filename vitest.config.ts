import { defineConfig } from 'vitest/config'

const shared = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  sequence: { shuffle: true },
}

/** unit: beside the file, with the real engines it needs. system: the whole product as a process. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['src/**/*.test.ts', 'modules/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/docs/**/*.test.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'system',
          include: ['test/{edge,flights,system}/**/*.test.ts'],
          fileParallelism: false,
        },
      },
    ],
  },
})
