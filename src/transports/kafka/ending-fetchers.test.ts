import { expect, it } from 'vitest'
import { Runner } from './ending-fetchers.ts'

const logger = { namespace: () => logger, debug: () => undefined, info: () => undefined }

it('loops that begin after the consumer was stopped come to their end', async () => {
  // With a fault here the process would hang, timers included: the limit of the test could not end it.
  const consumerGroup = { getNodeIds: () => ['1', '2', '3'] }
  const runner = new Runner({ logger, consumerGroup, concurrency: 1 })
  expect(runner.running).toBe(false)
  expect(await runner.fetchManager.start()).toBe(undefined)
})
