import { expect, it } from 'vitest'
import { Faults } from './faults.ts'
import { operations } from './operations.ts'

const rules = [{ operations, share: 0.3, fault: { kind: 'hang', effect: true }, times: 2 }] as const
const calls = Array.from({ length: 200 }, (_, i) => ({ order: `o-${i % 50}`, operation: operations[i % 4]! }))

/** What befalls each call, in the order of `calls`, when they arrive as given. Keys differ from run to run, as ids of sagas do. */
function befallen(seed: number, arrivals: readonly (typeof calls)[number][], run: string): Record<string, boolean[]> {
  const faults = new Faults(seed, rules)
  const found: Record<string, boolean[]> = {}
  for (const { order, operation } of arrivals) {
    const call = `${order} ${operation}`
    found[call] ??= []
    found[call].push(faults.draw({ order, operation, key: `${run} ${call}`, at: 0 }) !== undefined)
  }
  return found
}

it('the same befalls the same calls, in whichever order they arrive', () => {
  const once = befallen(1, calls, 'one')
  expect(befallen(1, calls.toReversed(), 'two')).toEqual(once)
  expect(befallen(2, calls, 'three')).not.toEqual(once)
  const share = Object.values(once).flat().filter(Boolean).length / calls.length
  expect(share).toBeGreaterThan(0.2)
  expect(share).toBeLessThan(0.4)
})
