import { systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { startDatabase, startWorker } from '../app/worker.fixture.ts'
import { watchSagas } from './saga-metrics.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let worker: Awaited<ReturnType<typeof startWorker>>
const metrics = createMetrics()

beforeAll(async () => {
  database = await startDatabase()
  worker = await startWorker(database.url)
})
afterAll(async () => {
  metrics.stop()
  await worker?.stop()
  await database?.stop()
})

it('open sagas are counted by their status, with the age of the oldest; ended ones are not', async () => {
  watchSagas({ postgres: database.postgres, clock: systemClock, metrics })
  await worker.publish('quick', { steps: [{ id: 'now', wait: { for: '1ms' } }] })
  await worker.publish('patient', { steps: [{ id: 'later', wait: { for: '1h' } }] })
  const { id } = await worker.start('quick', {})
  await worker.until(id, 'completed')
  await worker.start('patient', {})
  await systemClock.sleep(1_100)
  await worker.start('patient', {})
  const text = await metrics.text()
  expect(text).toMatch(/^splitstream_sagas_open{splitstream_saga_status="running"} 2$/m)
  expect(text).not.toMatch(/^splitstream_sagas_open{splitstream_saga_status="completed"}/m)
  const age = Number(/^splitstream_sagas_oldest_seconds{splitstream_saga_status="running"} (\S+)$/m.exec(text)?.[1])
  expect(age).toBeGreaterThan(1)
  expect(age).toBeLessThan(30)
})
