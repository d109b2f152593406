import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Outcome } from '../resolver.ts'
import { Ward } from './ejection.fixture.ts'

/* Any course of events: calls to any instance, time that passes, instances that come and go. */

const outcomes: readonly Outcome[] = ['answered', 'failed', 'refused', 'unreachable', 'lost', 'late']

interface Step {
  /** Of those known; taken modulo their number. */
  readonly instance: number
  readonly calls: number
  readonly outcome: Outcome
  readonly ms: number
  readonly passes: number
  /** How many instances discovery finds from now on; mostly as many as before. */
  readonly known: number | undefined
}

const step: fc.Arbitrary<Step> = fc.record({
  instance: fc.nat(11),
  calls: fc.nat(30),
  outcome: fc.constantFrom(...outcomes),
  ms: fc.nat(2_000),
  passes: fc.oneof(fc.nat(500), fc.nat(70_000)),
  known: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined, freq: 5 }),
})

const course = fc.array(step, { maxLength: 80 })

/** Goes through the course; `seen` gets what each caller saw. */
function run(steps: readonly Step[], seen: (ward: Ward, list: string) => void): Ward {
  const ward = new Ward(12)
  const all = ward.known
  for (const { instance, calls, outcome, ms, passes, known } of steps) {
    if (known !== undefined) ward.find(all.slice(0, known))
    ward.calls(ward.known[instance % ward.known.length]!, calls, outcome, ms)
    seen(ward, ward.list())
    ward.clock.advance(passes)
    seen(ward, ward.list())
  }
  return ward
}

it('never has more than a third out, and always somebody to call', () => {
  fc.assert(
    fc.property(course, (steps) => {
      run(steps, (ward, list) => {
        const out = ward.out()
        expect(out.length).toBeLessThanOrEqual(Math.floor(ward.known.length / 3))
        const serving = ward.known.filter(({ origin }) => !out.some((one) => one.origin === origin))
        const trial = out.find(({ origin, state }) => state === 'trial' && origin === list)
        expect(list).toBe(trial ? trial.origin : serving.map(({ origin }) => origin).join(''))
        expect(list).not.toBe('')
      })
    }),
  )
})

it('never leaves out one that answers every call within 200 ms', () => {
  fc.assert(
    fc.property(course, (steps) => {
      const halfIsWell = steps.map((one) => {
        const still = { ...one, known: undefined }
        return one.instance % 2 === 0 ? { ...still, outcome: 'answered' as const, ms: one.ms % 201 } : still
      })
      run(halfIsWell, (ward) => {
        for (const { origin } of ward.out()) expect('bdfhjl').toContain(origin)
      })
    }),
  )
})

it('lasts 5 s to 60 s, each time', () => {
  fc.assert(
    fc.property(course, (steps) => {
      const { spells } = run(steps, () => {})
      for (const ms of spells) expect([5_000, 10_000, 20_000, 40_000, 60_000]).toContain(ms)
    }),
  )
})

it('ends for one that is well again: at the first call that is due', () => {
  fc.assert(
    fc.property(course, (steps) => {
      const ward = run(steps, () => {})
      for (let i = 0; i < 12 && ward.out().length > 0; i++) {
        ward.clock.advance(60_000)
        const list = ward.discovery.current()
        expect(ward.out().map(({ origin }) => origin)).toContain(list[0]!.origin)
        ward.calls(list[0]!, 1)
      }
      expect(ward.out()).toEqual([])
      expect(ward.list()).toHaveLength(ward.known.length)
    }),
  )
})

it('gives the same lists for the same course', () => {
  fc.assert(
    fc.property(course, (steps) => {
      const [first, second]: [string[], string[]] = [[], []]
      run(steps, (_, list) => first.push(list))
      run(steps, (_, list) => second.push(list))
      expect(second).toEqual(first)
    }),
  )
})
