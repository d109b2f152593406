import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bugs } from './planted-bugs.fixture.ts'
import { runCase } from './random-run.fixture.ts'
import { randomCase } from './random-saga.fixture.ts'

describe('any saga, in bad times', () => {
  it('ends, does nothing twice, and undoes all that it did or nothing', async () => {
    const property = fc.asyncProperty(randomCase, async (one) => {
      expect(await runCase(one)).toEqual([])
    })
    await fc.assert(property, { seed: 20_261_126, numRuns: 5_000, interruptAfterTimeLimit: 8_000 })
  })
})

/** Each is seen within 150 of the cases of which the machine as it is passes tens of thousands. */
describe('the same cases see a machine that', () => {
  it.each(bugs)('%s', async (_, bug, seen) => {
    for (const one of fc.sample(randomCase, { seed: 1, numRuns: 1_000 })) {
      const problems = await runCase(one, bug)
      if (problems.some((problem) => seen.test(problem))) return
    }
    expect.fail('the bug was not seen')
  })
})
