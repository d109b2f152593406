import { defineConfig } from 'vitest/config'

const shared = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 30_000 } },
  setupFiles: ['test/support/patience.ts'],
  sequence: { shuffle: true },
}

/** Beside the file, with three real brokers: they belong to the tests of the system. */
const withBrokers = 'src/**/*.cluster.test.ts'

/** Each waits for seconds to see what a process says of itself: they wait side by side. */
const waiting = 'test/system/wedges-*.test.ts'

/** Beside the file, with a real ClickHouse or Postgres, or for long: more than `npm run verify` has time for. */
const withEngines = [
  'src/engines/{clickhouse,postgres}/**/*.test.ts',
  'src/{log-handover,log-turns}.test.ts',
  'src/backup/hangs.test.ts',
  'src/{fit-record,remote}.test.ts',
  'src/discovery/consul/{consul,tokens}.test.ts',
  'src/edge/{body-pool,slow-clients}.test.ts',
  'src/edge/admission/admission.test.ts',
  'src/edge/keys/*.test.ts',
  'src/transports/{log,kafka}/**/*.test.ts',
  'src/transports/http/compatible.test.ts',
  'modules/storage/adapters/{,read/}*.test.ts',
  'modules/storage/app/{exactly-once,refused-rows}.test.ts',
  'modules/sagas/{app,adapters}/*.test.ts',
  'modules/sagas/kit/participant/*.test.ts',
  'test/contract/stream-port.test.ts',
  'test/chaos/{judgements,standstill}.test.ts',
]

/**
 * unit: beside the file, what is quick. engines: beside the file, with the real engines it needs. system: the whole product as
 * a process, and what needs brokers. wedges: parts of a process that stand still, and its readiness. topology: the product as
 * several processes.
 */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          exclude: [withBrokers, ...withEngines],
          include: [
            'src/**/*.test.ts',
            'modules/**/*.test.ts',
            'test/contract/**/*.test.ts',
            'test/docs/**/*.test.ts',
            'test/compat/**/*.test.ts',
            'test/chaos/**/*.test.ts',
            'test/support/**/*.test.ts',
          ],
        },
      },
      {
        test: {
          ...shared,
          name: 'engines',
          exclude: [withBrokers],
          include: withEngines,
        },
      },
      {
        test: {
          ...shared,
          name: 'system',
          exclude: [waiting],
          include: ['test/{flights,system}/**/*.test.ts', withBrokers],
        },
      },
      {
        test: {
          ...shared,
          name: 'wedges',
          include: [waiting],
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
