import { type Call, noMetrics, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { afterEach, describe, expect, it } from 'vitest'
import { dependencyBreakers } from './dependencies.ts'
import { guardReads } from './storage-reads.ts'

let leaving = new AbortController()
afterEach(() => {
  leaving.abort()
  leaving = new AbortController()
})

const overloaded = expect.objectContaining({ code: 'OVERLOADED' })
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Storage whose reads last until their caller leaves; those of `quick` end at once. */
function reads() {
  const running: string[] = []
  const list = (_: unknown, { tenant, signal }: Call) => {
    if (tenant === 'quick') return Promise.resolve(tenant)
    running.push(tenant)
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        running.splice(running.indexOf(tenant), 1)
        reject(signal.reason)
      })
    })
  }
  const read = guardReads({ list } as unknown as StorageRead, {
    clickhouse: { rows: async () => [] } as never,
    breakers: dependencyBreakers({ clock: systemClock, logger: silentLogger, metrics: noMetrics }),
    clock: systemClock,
    maxConcurrent: 6,
    embedded: true,
  })
  const begin = (tenant: string, signal = leaving.signal) => {
    const answer = read.list({} as never, systemCall(systemClock, 60_000, signal, tenant)) as Promise<unknown>
    answer.catch(() => {})
    return answer
  }
  return { begin, running }
}

describe('reads of a tenant that holds all it may', () => {
  it('leave a place to another, although as many wait as may', async () => {
    const { begin, running } = reads()
    const many = Array.from({ length: 300 }, () => begin('a'))
    await expect(many.at(-1)).rejects.toEqual(overloaded)
    expect(running).toEqual(['a', 'a', 'a', 'a', 'a'])
    expect(await begin('quick')).toBe('quick')
    expect(await Promise.all([begin('quick'), begin('quick')])).toEqual(['quick', 'quick'])
  })

  it('are overtaken by the first of another that waits', async () => {
    const { begin, running } = reads()
    for (let i = 0; i < 300; i++) begin('a')
    const leave = new AbortController()
    begin('b', leave.signal)
    const second = begin('quick')
    await settled()
    expect(running).toEqual(['a', 'a', 'a', 'a', 'a', 'b'])
    leave.abort()
    expect(await second).toBe('quick')
  })

  it('go on as others of it end', async () => {
    const { begin, running } = reads()
    const leaves = Array.from({ length: 8 }, () => new AbortController())
    for (const { signal } of leaves) begin('a', signal)
    begin('b')
    await settled()
    expect(running).toEqual(['a', 'a', 'a', 'a', 'a', 'b'])
    for (const leave of leaves.slice(0, 4)) leave.abort()
    await settled()
    expect(running).toEqual(['a', 'b', 'a', 'a', 'a'])
  })
})
