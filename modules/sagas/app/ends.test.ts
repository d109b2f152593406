import { systemClock } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { type End, Ends } from './ends.ts'

const end: End = { status: 'completed', problem: null, output: 1, at: 2 }
const stays = { signal: new AbortController().signal }

describe('who waits for the end of a saga', () => {
  it('is told of it, also when it came before the wait', async () => {
    const ends = new Ends(systemClock)
    const [before, after] = [ends.listen('before'), ends.listen('after')]
    ends.tell('before', () => end)
    const waits = after.ended(10_000, stays)
    ends.tell('after', () => end)
    expect([await before.ended(10_000, stays), await waits]).toEqual([end, end])
  })

  it('waits no longer than it wants', async () => {
    const ends = new Ends(systemClock)
    const from = performance.now()
    expect(await ends.listen('a').ended(50, stays)).toBeUndefined()
    expect(performance.now() - from).toBeLessThan(5_000)
  })

  it('waits no longer than it is there', async () => {
    const ends = new Ends(systemClock)
    const leaves = new AbortController()
    const waits = ends.listen('a').ended(600_000, leaves)
    leaves.abort()
    expect(await waits).toBeUndefined()
  })

  it('costs nothing any more once it has cancelled: its end is not made', () => {
    const ends = new Ends(systemClock)
    ends.listen('a').cancel()
    ends.tell('a', () => {
      throw new Error('nobody waits')
    })
  })
})
