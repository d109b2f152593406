import { defineConfig } from 'vitest/config'

const shared = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  sequence: { shuffle: true },
}

/** Beside the file, with three real brokers: too heavy to run at the same time as others. */
const withBrokers = 'src/**/*.cluster.test.ts'

/** unit: beside the file, with the real engines it needs. system: the whole product as a process, and what needs brokers. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          exclude: [withBrokers],
          include: [
            'src/**/*.test.ts',
            'modules/**/*.test.ts',
            'test/contract/**/*.test.ts',
            'test/docs/**/*.test.ts',
            'test/compat/**/*.test.ts',
          ],
        },
      },
      {
        test: {
          ...shared,
          name: 'system',
          include: ['test/{edge,flights,system}/**/*.test.ts', withBrokers],
          fileParallelism: false,
        },
      },
      {
        test: {
          ...shared,
          name: 'topology',
          include: ['test/topology/**/*.test.ts'],
          fileParallelism: false,
        },
      },
    ],
  },
})
