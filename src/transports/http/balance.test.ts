import { expect, it } from 'vitest'
import type { Instance } from '../../discovery/resolver.ts'
import { Balance } from './balance.ts'

const instances: Instance[] = ['a', 'b', 'c', 'd'].map((name) => ({ origin: `http://${name}:1` }))
const random = { bytes: (n: number) => new Uint8Array(n), fraction: () => Math.random() }

it('gives every instance its turn', () => {
  const balance = new Balance(random)
  const picked = Array.from({ length: 400 }, () => balance.pick(instances, [])!)
  for (const instance of instances) expect(picked.filter((one) => one === instance).length).toBe(100)
})

it('spares the one that has more under way, without forgetting it', () => {
  const balance = new Balance(random)
  const [slow] = instances
  for (let i = 0; i < 50; i++) balance.enter(slow!)
  let toSlow = 0
  for (let i = 0; i < 400; i++) {
    const picked = balance.pick(instances, [])!
    if (picked === slow) toSlow++
    // The others are quick.
    balance.enter(picked)()
  }
  expect(toSlow).toBe(0)
})

it('spreads calls that stay evenly', () => {
  const balance = new Balance(random)
  const counts = new Map<Instance, number>()
  for (let i = 0; i < 400; i++) {
    const picked = balance.pick(instances, [])!
    balance.enter(picked)
    counts.set(picked, (counts.get(picked) ?? 0) + 1)
  }
  for (const count of counts.values()) expect(count).toBeGreaterThan(90)
})

it('turns to another one after a try, as long as there is one', () => {
  const balance = new Balance(random)
  const [a, b] = instances
  for (let i = 0; i < 20; i++) expect(balance.pick([a!, b!], [a!])).toBe(b)
  expect(balance.pick([a!], [a!])).toBe(a)
  expect(balance.pick([], [])).toBe(undefined)
})
