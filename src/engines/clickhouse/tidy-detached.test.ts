import { expect, it } from 'vitest'
import type { DetachedPart } from './embedded.ts'
import { tidyDetached } from './tidy-detached.ts'

const part = (name: string, more: Partial<DetachedPart> = {}): DetachedPart => ({
  database: 'splitstream',
  table: 'events',
  partition: '202611',
  name,
  reason: 'broken-on-start',
  ...more,
})
const merged = (last: number, more: Partial<DetachedPart> = {}) => part(`broken-on-start_202611_1_${last}_2`, more)

async function tidied(parts: readonly DetachedPart[]) {
  const dropped: string[] = []
  const lines: unknown[] = []
  const log = (message: string, fields?: object): void => void lines.push({ message, ...fields })
  await tidyDetached(
    { detachedParts: async () => parts, dropDetachedPart: async (one) => void dropped.push(one.name) },
    { debug: log, info: log, warn: log, error: log },
  )
  return { dropped, lines }
}

it('keeps the newest twenty results of merges of each table, and says what it deleted', async () => {
  const parts = Array.from({ length: 24 }, (_, i) => merged(i + 10))
  const { dropped, lines } = await tidied([...parts, merged(1, { table: 'other' })])
  expect(dropped).toEqual([13, 12, 11, 10].map((last) => `broken-on-start_202611_1_${last}_2`))
  expect(lines).toEqual([expect.objectContaining({ parts: 4, names: dropped })])
})

it('never deletes parts as they were inserted, nor what is there for another reason', async () => {
  const inserted = Array.from({ length: 50 }, (_, i) => part(`broken-on-start_202611_${i}_${i}_0`))
  const others = Array.from({ length: 50 }, (_, i) => merged(i, { reason: 'unexpected' }))
  const odd = [part('broken-on-start_what'), part('', { partition: '' })]
  expect((await tidied([...inserted, ...others, ...odd])).dropped).toEqual([])
})

it('reads names with a mutation and with a number of the engine', async () => {
  const parts = Array.from({ length: 25 }, (_, i) => part(`broken-on-start_202611_1_${i}_3${i % 2 ? '_77' : ''}_try2`))
  expect((await tidied(parts)).dropped).toHaveLength(5)
})

it('never fails the start', async () => {
  const lines: string[] = []
  const warn = (message: string): void => void lines.push(message)
  await tidyDetached(
    { detachedParts: () => Promise.reject(new Error('it exited')), dropDetachedPart: async () => undefined },
    { debug() {}, info() {}, warn, error() {} },
  )
  expect(lines).toHaveLength(1)
})
