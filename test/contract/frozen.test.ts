import { defineCallPort, systemClock } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { callWith } from './cases/support.ts'
import { bindFrozen } from './frozen.ts'

interface List {
  readonly items: number[]
}
interface Lists {
  keep(input: List): Promise<List>
  sort(input: List): Promise<List>
}

const port = defineCallPort<Lists>('test.lists', 1, {
  keep: { idempotent: true, budgetMs: 1_000 },
  sort: { idempotent: true, budgetMs: 1_000 },
})
const callee: Lists = {
  keep: async (input) => input,
  // Sorts in place, which is what the caller has, too.
  sort: async ({ items }) => ({ items: items.sort() }),
}
const lists = bindFrozen(port, () => callee, systemClock) as unknown as {
  [M in keyof Lists]: (input: List, call: unknown) => Promise<List>
}

it('a callee that changes its input is found out', async () => {
  await expect(lists.sort({ items: [2, 1] }, callWith())).rejects.toThrow(TypeError)
})

it('so is a caller that changes its argument while the call runs, or after it, and one that changes the answer', async () => {
  const input = { items: [2, 1] }
  const running = lists.keep(input, callWith())
  expect(() => input.items.push(3)).toThrow(TypeError)
  const answer = await running
  expect(() => input.items.push(3)).toThrow(TypeError)
  expect(() => answer.items.push(3)).toThrow(TypeError)
})
