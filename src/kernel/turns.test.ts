import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { turns } from './turns.ts'

/** Moves only when it is moved. Later in each test than in the one before. */
let now = performance.now()
beforeEach(() => {
  now += 1_000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** How long the piece that has just begun may last, ms. */
function piece(): number {
  const from = now
  while (!turns.isOver) now += 0.25
  return now - from
}

/** The next piece, after all others took so long. */
async function pieceAfter(othersMs: number): Promise<number> {
  const begun = turns.next()
  now += othersMs
  await begun
  return piece()
}

it('gives half a millisecond at once, and after others half of what they took, in bounds', async () => {
  turns.begin()
  expect(piece()).toBe(0.5)
  expect(await pieceAfter(0)).toBe(0.5)
  expect(await pieceAfter(8)).toBe(4)
  expect(await pieceAfter(500)).toBe(25)
  turns.begin()
  expect(piece()).toBe(0.5)
})

it('knows what the pieces took, without all else', async () => {
  const from = turns.spentMs
  turns.begin()
  piece()
  await pieceAfter(8)
  await pieceAfter(20)
  expect(turns.spentMs - from).toBe(0.5 + 4)
  void turns.next()
  expect(turns.spentMs - from).toBe(0.5 + 4 + 10)
  await nextTurn()
})

it('lets one go on in each turn of the loop, in the order in which they came', async () => {
  const told: string[] = []
  const work = async (name: string): Promise<void> => {
    for (let i = 1; i <= 2; i++) {
      await turns.next()
      told.push(`${name}${i}`)
    }
  }
  const all = Promise.all(['a', 'b', 'c'].map(work))
  for (let i = 0; i < 6; i++) {
    await nextTurn()
    told.push('others')
  }
  await all
  const pieces = ['a1', 'b1', 'c1', 'a2', 'b2', 'c2']
  expect(told).toEqual(pieces.flatMap((one) => [one, 'others']))
})
