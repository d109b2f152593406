import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import './stop-fetching.ts'

const require = createRequire(import.meta.url)
const createFetchManager = require('kafkajs/src/consumer/fetchManager.js')
const { prototype } = require('kafkajs/src/consumer/runner.js')

it('the fetchers of a consumer that has stopped end, in place of spinning', async () => {
  const logger = { namespace: () => logger, debug() {}, info() {} }
  let fetches = 0
  const runner = { running: false, logger, consumerGroup: {} }
  const manager = createFetchManager({
    logger,
    getNodeIds: () => [1, 2],
    fetch: (nodeId: number) => {
      fetches++
      return prototype.fetch.call(runner, nodeId)
    },
    handler: async () => undefined,
  })
  await expect(manager.start()).rejects.toThrow('has stopped')
  expect(fetches).toBeLessThanOrEqual(2)
})
