import { describe, expect, it } from 'vitest'
import { hang, postponed, type Simulation } from '../kit/testing/index.ts'
import { compactEntries, compactJournal } from './compact.ts'
import { decodeEntries, encodeEntries } from './entry.ts'
import { answer, call, final, ok, pivot, start, times } from './saga.fixture.ts'
import { foldEntries } from './state.ts'

const participant = { keyWindow: '3650d' }

/** At most so many entries of attempts for each call. */
const bound = 2 * (3 + 7) + 2

function expectShort(run: Simulation) {
  const entries = run.history()
  const compacted = compactEntries(entries)
  expect(foldEntries(compacted)).toEqual(foldEntries(entries))
  expect(compactEntries(compacted)).toEqual(compacted)
  for (const [step, mine] of Map.groupBy(compacted, (entry) => ('s' in entry ? entry.s : ''))) {
    expect(mine.length, step).toBeLessThan(3 * bound)
  }
  return compacted
}

describe('a journal of many attempts', () => {
  it('becomes short, and says the same', async () => {
    const run = start([pivot('a'), final('b')], { b: [...Array(600).fill(answer(503)), ok] }, { participant })
    for (let i = 0; i < 300; i++) await run.step()
    expectShort(run)
    expect(await run.untilEnd()).toBe('completed')
    const compacted = expectShort(run)
    const tries = compacted.filter((entry) => entry.e === 'tries')
    expect(tries).toHaveLength(1)
    expect(tries[0]).toMatchObject({ s: 'b', x: 600 - 3 - 7 })
  })

  it('becomes short for undos, lookups and calls that are put off too', async () => {
    const undo = start(
      [call('a'), call('b'), final('z')],
      { z: [answer(402)], 'a.undo': [answer(503)], 'b.undo': [hang()] },
      { participant },
    )
    await undo.advance('2d')
    expect(undo.history().length).toBeGreaterThan(400)
    expect(expectShort(undo).length).toBeLessThan(60)
    const off = start([call('a')], { a: [...Array(5_000).fill(postponed('1m')), ok] })
    await off.advance('3d')
    expect(off.history().length).toBeGreaterThan(8_000)
    expect(expectShort(off).length).toBeLessThan(30)
    const lookup = { keyWindow: '1m', lookup: { path: '/r/${key}' } }
    const looked = start([pivot('a'), final('b')], { b: [answer(503)], 'b?': [answer(503)] }, { participant: lookup })
    await looked.advance('2d')
    expectShort(looked)
  })

  it('becomes short around what operators did', async () => {
    const run = start([pivot('a'), final('b', { retry: { attempts: 30 } })], { b: [answer(503)] }, { participant })
    for (let i = 0; i < 5; i++) {
      expect(await run.untilEnd()).toBe('needs_attention')
      run.retry('b')
      await run.advance('1s')
    }
    const compacted = expectShort(run)
    expect(compacted.filter(({ e }) => e === 'by')).toHaveLength(5)
  })

  it('stays short when it is compacted again and again, and the saga goes on from it', async () => {
    const steps = [pivot('a'), final('b')]
    const script = { b: [...Array(900).fill(answer(503)), ok] }
    const plain = start(steps, script, { participant })
    const run = start(steps, script, { participant })
    for (let crashes = 0; run.state.steps.get('b')?.status !== 'done'; crashes++) {
      await run.step()
      if (crashes % 50 === 49) run.compact()
    }
    expect(run.history().length).toBeLessThan(2 * 60)
    await run.untilEnd()
    await plain.untilEnd()
    expect(times(run)).toEqual(times(plain))
    expect(run.state).toEqual(plain.state)
  })
})

it('a journal that is not long stays as it is', async () => {
  const run = start([call('a')], { a: [answer(503), answer(503), ok] })
  await run.untilEnd()
  expect(compactEntries(run.history())).toEqual(run.history())
  expect(compactJournal(encodeEntries(run.history()))).toBeUndefined()
  const large = start([call('a')], { a: [answer(200, { body: 'x'.repeat(100_000) })] })
  await large.untilEnd()
  expect(compactJournal(encodeEntries(large.history()))).toBeUndefined()
})

it('a long one is given as text', async () => {
  const run = start([pivot('a'), final('b')], { b: [answer(503)] }, { participant })
  await run.advance('1d')
  const journal = encodeEntries(run.history())
  const compacted = compactJournal(journal)!
  expect(compacted.length).toBeLessThan(5_000)
  expect(foldEntries(decodeEntries(compacted))).toEqual(run.state)
})
