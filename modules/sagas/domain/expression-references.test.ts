import { expect, it } from 'vitest'
import { readsOf } from './expression.ts'

const reads = (text: string) =>
  readsOf('steps', text, 'expression', ['steps', 'input']).map((read) =>
    read === undefined ? '?' : `${read.member}${read.guarded ? ' guarded' : ''}`,
  )

it.each([
  ['steps.a.b + steps["b"].c', ['a', 'b']],
  ['input.steps.a', []],
  ['steps', []],
  ['steps[input.x]', ['?']],
  ['steps[steps.a.b]', ['?', 'a']],
  ['has(steps.a)', ['a guarded']],
  ['has(steps.a.b)', ['a']],
  ['has(steps.a) && has(steps.a.b) && steps.a.b > 1', ['a guarded', 'a guarded', 'a guarded']],
  ['has(steps.a) ? steps.a.b : steps.b.c', ['a guarded', 'a guarded', 'b']],
  ['!has(steps.a) ? 1 : steps.a.b', ['a guarded', 'a guarded']],
  ['!has(steps.a) || steps.a.b', ['a guarded', 'a guarded']],
  ['has(steps.a) || steps.a.b', ['a guarded', 'a']],
  ['steps.a.b && has(steps.a)', ['a guarded', 'a guarded']],
  [
    'has(steps.a) && has(steps.b) ? [steps.a, steps.b] : [steps.a]',
    ['a guarded', 'b guarded', 'a guarded', 'b guarded', 'a'],
  ],
  ['"a" in steps ? steps.a : 1', ['a guarded']],
  ['steps.?a.?b.orValue(1)', ['a guarded']],
  ['steps[?"a"].orValue(1)', ['a guarded']],
  ['input.list.map(steps, steps.a)', []],
  ['input.list.map(x, x == steps.a)', ['a']],
  ['steps.map(x, steps[x])', ['?']],
])('%s', (text, expected) => expect(reads(text)).toEqual(expected))

it('sees all expressions of a template', () => {
  expect(readsOf('steps', 'a ${steps.a} $${steps.b} ${steps.c.d}', 'template', ['steps'])).toEqual([
    { member: 'a', guarded: false },
    { member: 'c', guarded: false },
  ])
})
