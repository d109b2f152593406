import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { describeUnless } from '../../../test/support/suite.ts'
import { engine, post } from './child.fixture.ts'

const unavailable = process.platform === 'linux' ? undefined : 'only Linux tells the time of a thread'

/** CPU time of the thread that serves all requests, ms. */
async function servingMs(): Promise<number> {
  const [nanoseconds] = (await readFile(`/proc/${engine.pid}/task/${engine.pid}/schedstat`, 'latin1')).split(' ')
  return Number(nanoseconds) / 1e6
}

describeUnless(unavailable, 'the child, when a statement fails', () => {
  it('frees what it had gathered beside the thread that serves others', async () => {
    const failing = (rows: number): string =>
      `SELECT k, uniq(k), quantile(0.9)(k / 2)
       FROM (SELECT number + throwIf(number = ${rows - 1}) AS k FROM numbers(${rows})) GROUP BY k FORMAT Null`
    const fail = async (rows: number): Promise<number> => {
      const from = await servingMs()
      const answer = await post(failing(rows))
      expect(await answer.text()).toContain('FUNCTION_THROW_IF_VALUE_IS_NON_ZERO')
      return (await servingMs()) - from
    }
    for (let i = 0; i < 5; i++) await fail(10) // compiled
    const [few, many] = [await fail(10), await fail(1_000_000)]
    expect(many).toBeLessThan(few + 30)
  })
})
