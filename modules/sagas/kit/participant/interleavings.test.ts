import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as barrier from './barrier.ts'
import { bugs } from './bugs.fixture.ts'
import { plantBugs } from './planted.fixture.ts'
import { SqliteStories } from './sqlite-stories.fixture.ts'

let stories: SqliteStories

beforeAll(() => {
  stories = new SqliteStories()
})

afterAll(() => stories.close())

/** 100,000 on an idle core; the bound is for a busy one. */
const maxStories = 100_000
const maxMs = 25_000

describe('random interleavings of calls for one step, statement by statement', () => {
  it('never do harm', async () => {
    const from = performance.now()
    let seed = 0
    for (; seed < maxStories && performance.now() - from < maxMs; seed++) {
      const violations = await stories.tell(seed, barrier)
      expect(violations, `seed ${seed}`).toEqual([])
    }
    console.log(`${seed} interleavings, 0 violations, ${Math.round(performance.now() - from)} ms`)
    expect(seed).toBeGreaterThan(10_000)
  })

  it.each(bugs.filter(({ told }) => told === true))('show that $name', async ({ edits }) => {
    const broken = await plantBugs(edits)
    const own = new SqliteStories()
    let violations: readonly string[] = []
    for (let seed = 0; seed < 5_000 && violations.length === 0; seed++) violations = await own.tell(seed, broken)
    own.close()
    expect(violations).not.toEqual([])
  })
})
