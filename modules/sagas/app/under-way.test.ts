import type { Clock } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { UnderWay } from './under-way.ts'

it('tells of what does not come to its end, while it lasts', async () => {
  let now = 0
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: async () => undefined }
  const looking = new UnderWay('looking for sagas', clock)
  expect(looking.late).toBeUndefined()
  const { promise, reject } = Promise.withResolvers<void>()
  const ended = looking.run(() => promise)
  now = 4_999
  expect(looking.late).toBeUndefined()
  now = 5_000
  expect(looking.late).toBe('looking for sagas has been under way for 5 s')
  reject(new Error('cut'))
  await expect(ended).rejects.toThrow('cut')
  expect(looking.late).toBeUndefined()
})
