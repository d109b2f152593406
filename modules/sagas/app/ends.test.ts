import { systemClock } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { SagaName, Standing } from '../adapters/saga-rows.ts'
import { type End, Ends } from './ends.ts'

const end: End = { status: 'completed', problem: null, output: 1, at: 2 }
const stays = { signal: new AbortController().signal }

const listening = (o: { runsHere?: boolean; standings?: (sagas: readonly SagaName[]) => [string, Standing][] } = {}) =>
  new Ends({
    clock: systemClock,
    runsHere: () => o.runsHere ?? true,
    standings: async (sagas) => new Map(o.standings?.(sagas)),
  })

describe('who waits for the end of a saga', () => {
  it('is told of it, also when it came before the wait', async () => {
    const ends = listening()
    const [before, after] = [ends.listen('t', 'before'), ends.listen('t', 'after')]
    ends.tell('before', () => end)
    const waits = after.ended(10_000, stays)
    ends.tell('after', () => end)
    expect([await before.ended(10_000, stays), await waits]).toEqual([end, end])
  })

  it('waits no longer than it wants', async () => {
    const ends = listening()
    const from = performance.now()
    expect(await ends.listen('t', 'a').ended(50, stays)).toBeUndefined()
    expect(performance.now() - from).toBeLessThan(5_000)
  })

  it('waits no longer than it is there', async () => {
    const ends = listening()
    const leaves = new AbortController()
    const waits = ends.listen('t', 'a').ended(600_000, leaves)
    leaves.abort()
    expect(await waits).toBeUndefined()
  })

  it('costs nothing any more once it has cancelled: its end is not made', () => {
    const ends = listening()
    ends.listen('t', 'a').cancel()
    ends.tell('a', () => {
      throw new Error('nobody waits')
    })
  })

  it('is told with all others who wait for the same saga, also when one of them has left', async () => {
    const ends = listening()
    const [first, second, third] = Array.from({ length: 3 }, () => ends.listen('t', 'a'))
    const [one, other] = [first!.ended(10_000, stays), third!.ended(10_000, stays)]
    second!.cancel()
    ends.tell('a', () => end)
    expect(await Promise.all([one, other])).toEqual([end, end])
    for (const waiter of [first, third]) waiter!.cancel()
    ends.tell('a', () => {
      throw new Error('nobody waits')
    })
  })

  it('waits on when the saga only makes a turn; who waits for that goes on', async () => {
    const ends = listening()
    const [forEnd, forTurn] = [ends.listen('t', 'a'), ends.listen('t', 'a')]
    const waits = forEnd.ended(200, stays)
    ends.tellTurn('a')
    await forTurn.moved(1, 600_000, stays)
    const again = forTurn.moved(2, 600_000, stays)
    ends.tellTurn('a')
    await again
    expect(await waits).toBeUndefined()
  })
})

describe('who waits for a saga of another process', () => {
  it('hears of its turns and its end from its row, asked for together with those of others', async () => {
    const rows = new Map(['a', 'b'].map((id) => [id, { seq: 1, stopped: false }]))
    const asked: string[][] = []
    const standings = (sagas: readonly SagaName[]) => {
      asked.push(sagas.map(({ id }) => id))
      return [...rows]
    }
    const ends = listening({ runsHere: false, standings })
    const turn = ends.listen('t', 'a').moved(1, 600_000, stays)
    const [stop, idle] = [ends.listen('t', 'b').ended(600_000, stays), ends.listen('t', 'c')]
    while (asked.length < 2) await systemClock.sleep(10)
    expect(asked).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    rows.set('a', { seq: 2, stopped: false })
    await turn
    rows.set('b', { seq: 2, stopped: true })
    expect(await stop).toBeUndefined()
    idle.cancel()
  })
})
