import { expect, it } from 'vitest'
import { BatchReader } from './batch.ts'
import { EventEncoder } from './event-encoder.ts'
import { Murmur } from './murmur.ts'

const count = 20_000

/** Ids whose keys have low halves as wanted: found by trying, as anybody can. */
function idsWhere(isWanted: (low: number) => boolean): string[] {
  const [prefix, hash] = [new Murmur(), new Murmur()]
  const before = Buffer.from('acme\0shop\0')
  prefix.start()
  prefix.add(before, 0, before.length)
  const ids: string[] = []
  for (let i = 1_000_000; ids.length < count; i++) {
    const id = Buffer.from(String(i))
    hash.startFrom(prefix)
    hash.add(id, 0, id.length)
    hash.finish()
    if (isWanted(hash.low)) ids.push(String(i))
  }
  return ids
}

/** CPU time of this thread that it takes to read them, µs: the machine may have other work. The kernel counts it in steps of some ms. */
function read(ids: readonly string[]): number {
  const body = Buffer.from(ids.map((id) => `{"id":"${id}","source":"shop","type":"sale"}\n`).join(''))
  const encoder = new EventEncoder(2, { maxNameBytes: 1024, maxAheadMicros: 0 })
  const reader = new BatchReader(encoder, { maxEvents: 50_000, maxEventBytes: 1 << 20 })
  const times = [1, 2, 3].map(() => {
    encoder.begin('acme', 0, false)
    const from = process.threadCpuUsage()
    expect(reader.lines(body)).toMatchObject({ accepted: count, duplicates: 0 })
    const { user, system } = process.threadCpuUsage(from)
    return user + system
  })
  return Math.min(...times)
}

it('takes no longer for ids that a sender chose so that their keys are near each other', () => {
  const chosen = idsWhere((low) => (low & 0xffff) < 512)
  const others = idsWhere(() => true)
  read(others)
  expect(read(chosen)).toBeLessThan(5 * Math.max(read(others), 10_000))
})
