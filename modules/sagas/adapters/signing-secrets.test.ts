import { silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { startDatabase } from '../app/worker.fixture.ts'
import { SigningSecrets } from './signing-secrets.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
const running: SigningSecrets[] = []

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database?.stop())
afterEach(() => Promise.all(running.splice(0).map((one) => one.stop())))

const firsts = new Map<string, Buffer>()
const first = (tenant: string): Buffer => {
  const known = firsts.get(tenant) ?? Buffer.from(`the first secret of ${tenant}`)
  firsts.set(tenant, known)
  return known
}
let made = 0

/** One process. */
async function start(now: () => number = () => systemClock.now()): Promise<SigningSecrets> {
  const { postgres } = database
  const clock = {
    ...systemClock,
    now,
    sleep: systemClock.sleep.bind(systemClock),
    monotonic: () => systemClock.monotonic(),
  }
  const fresh = () => Buffer.from(`fresh secret ${++made}`)
  const secrets = new SigningSecrets({ postgres, clock, logger: silentLogger, first, fresh })
  await secrets.start()
  running.push(secrets)
  return secrets
}
const texts = (all: readonly Uint8Array[]) => all.map((one) => Buffer.from(one).toString())
const within = { timeout: 10_000, interval: 10 }

it('a tenant has one that follows from the installation, until it changes it', async () => {
  const secrets = await start()
  expect(secrets.of('a')).toEqual([first('a')])
  expect(await secrets.show('a')).toEqual({ secret: first('a') })
  const changed = await secrets.change('a', 3_600_000)
  const now = `fresh secret ${made}`
  expect(texts([changed.secret, changed.previous!.secret])).toEqual([now, 'the first secret of a'])
  const until = changed.previous!.until.getTime()
  expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(60_000)
  expect(texts(secrets.of('a'))).toEqual([now, 'the first secret of a'])
  expect(await secrets.show('a')).toEqual(changed)
  expect(secrets.of('b')).toEqual([first('b')])
})

it('the one before ends after its time', async () => {
  let later = 0
  const secrets = await start(() => Date.now() + later)
  await secrets.change('c', 60_000)
  expect(secrets.of('c')).toHaveLength(2)
  later = 61_000
  expect(texts(secrets.of('c'))).toEqual([`fresh secret ${made}`])
})

it('other processes learn of a change, and those that start later know it', async () => {
  const [one, other] = [await start(), await start()]
  await one.change('d', 60_000)
  const both = [`fresh secret ${made}`, 'the first secret of d']
  await vi.waitFor(() => expect(texts(other.of('d'))).toEqual(both), within)
  expect(texts((await start()).of('d'))).toEqual(both)
})

it('a second change while the one before goes on is refused, as it would end an earlier one too soon', async () => {
  const secrets = await start()
  await secrets.change('e', 60_000)
  const both = texts(secrets.of('e'))
  await expect(secrets.change('e', 60_000)).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(texts(secrets.of('e'))).toEqual(both)
})

it('a change without a grace period ends all earlier ones at once', async () => {
  const secrets = await start()
  await secrets.change('f', 60_000)
  const changed = await secrets.change('f', 0)
  expect(changed.previous).toBeUndefined()
  expect(texts(secrets.of('f'))).toEqual([`fresh secret ${made}`])
  expect((await secrets.show('f')).previous).toBeUndefined()
  await secrets.change('f', 60_000)
  expect(secrets.of('f')).toHaveLength(2)
})

it('two that change it at the same time make one change', async () => {
  const [one, other] = [await start(), await start()]
  const both = await Promise.allSettled([one.change('g', 60_000), other.change('g', 60_000)])
  expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
})

it('the arrays stay the same from request to request, as keys are made of them', async () => {
  const secrets = await start()
  await secrets.change('h', 60_000)
  const before = [...secrets.of('h')]
  await secrets.change('i', 60_000)
  expect(secrets.of('h').every((one, n) => one === before[n])).toBe(true)
})
