import { expect, it } from 'vitest'
import { parseDefinition } from './check-definition.ts'
import { Problems } from './check-problems.ts'
import { checkWindows } from './check-windows.ts'
import { call, final, pivot } from './saga.fixture.ts'

function warned(steps: readonly object[], participant: object = {}): string[] {
  const problems = new Problems()
  checkWindows(parseDefinition('s', { participants: { p: { url: 'http://p.test', ...participant } }, steps }), problems)
  return problems.list.map(({ path }) => path)
}

const undo = (retry: object) => ({ compensate: { participant: 'p', path: '/undo', retry } })

it('warns of an undo that is tried for longer than its key is known', () => {
  const long = call('a', undo({ within: '7d', attempts: 1_000, max: '1h' }))
  expect(warned([long])).toEqual(['$.steps[0].compensate.retry'])
  expect(warned([long], { keyWindow: '7d' })).toEqual([])
  expect(warned([long], { lookup: { path: '/requests/${key}' } })).toEqual([])
  // It does not take so long as it may.
  expect(warned([call('a', undo({ within: '7d', attempts: 3 }))])).toEqual([])
})

it('warns of a step after the pivot, which is tried for days when nothing is said', () => {
  expect(warned([call('a'), pivot('b'), final('c')])).toEqual(['$.steps[2].retry'])
  expect(warned([call('a'), pivot('b'), final('c', { retry: { within: '12h' } })])).toEqual([])
  expect(warned([call('a'), pivot('b'), final('c')], { keyWindow: '30d' })).toEqual([])
  const within = { id: 'x', choice: [{ when: 'input.x', steps: [final('c')] }], otherwise: [final('d')] }
  expect(warned([pivot('b'), within])).toEqual(['$.steps[1].choice[0].steps[0].retry', '$.steps[1].otherwise[0].retry'])
})

it('warns of a short window, and not of what is usual', () => {
  expect(warned([call('a')])).toEqual([])
  expect(warned([call('a')], { keyWindow: '1m' })).toEqual(['$.steps[0].retry', '$.steps[0].compensate.retry'])
})

it('says what to change', () => {
  const problems = new Problems()
  const participants = { bank: { url: 'http://bank.test', keyWindow: '2h' } }
  const retry = { within: '7d', max: '10m', attempts: 50 }
  const steps = [{ id: 'a', call: { participant: 'bank', path: '/' }, retry }]
  checkWindows(parseDefinition('s', { participants, steps }), problems)
  expect(problems.list[0]!.detail).toMatch(/^is tried for up to \d+h, and bank knows a key for 2h: .*keyWindow.*lookup/)
})
