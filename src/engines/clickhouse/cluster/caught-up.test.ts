import { expect, it } from 'vitest'
import { CaughtUp } from './caught-up.ts'

function manual() {
  const rounds: PromiseWithResolvers<void>[] = []
  const caughtUp = new CaughtUp(() => {
    const round = Promise.withResolvers<void>()
    rounds.push(round)
    return round.promise
  })
  return { rounds, caughtUp }
}

const settled = async (promise: Promise<void>): Promise<string> =>
  await Promise.race([
    promise.then(
      () => 'done',
      (error: Error) => error.message,
    ),
    new Promise<string>((resolve) => setImmediate(() => resolve('waits'))),
  ])

it('serves a caller by a round that began after it came, and all waiters by one', async () => {
  const { rounds, caughtUp } = manual()
  const first = caughtUp.now()
  const late = [caughtUp.now(), caughtUp.now(), caughtUp.now()]
  expect(rounds).toHaveLength(1)
  rounds[0]!.resolve()
  expect(await settled(first)).toBe('done')
  expect(await settled(late[0]!)).toBe('waits')
  expect(rounds).toHaveLength(2)
  const later = caughtUp.now()
  rounds[1]!.resolve()
  for (const one of late) expect(await settled(one)).toBe('done')
  expect(await settled(later)).toBe('waits')
  rounds[2]!.resolve()
  expect(await settled(later)).toBe('done')
  void caughtUp.now()
  expect(rounds).toHaveLength(4)
})

it('a round that fails fails its callers, and the next one runs all the same', async () => {
  const { rounds, caughtUp } = manual()
  const first = caughtUp.now()
  const second = caughtUp.now()
  rounds[0]!.reject(new Error('behind'))
  expect(await settled(first)).toBe('behind')
  rounds[1]!.resolve()
  expect(await settled(second)).toBe('done')
})
