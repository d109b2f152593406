import { systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Definitions } from '../adapters/definitions.ts'
import { publishedAwaits, publishedTriggers } from '../adapters/interests.ts'
import { parseDefinition } from '../domain/check-definition.ts'
import { Interests } from './interests.ts'
import { startDatabase, tenant } from './worker.fixture.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let definitions: Definitions

beforeAll(async () => {
  database = await startDatabase()
  definitions = new Definitions(database.postgres)
})
afterAll(() => database.stop())
afterEach(() => database.postgres.query('TRUNCATE definitions'))

const pause = { id: 'pause', wait: { for: '1s' } }
const waitFor = (type: string, ...fields: readonly string[]) => ({
  id: 'event',
  waitFor: { type, match: Object.fromEntries(fields.map((field) => [field, '${input}'])), timeout: '1m' },
})
const publish = (name: string, ...[type, ...steps]: readonly [string | undefined, ...object[]]) =>
  definitions.publish(tenant, name, parseDefinition(name, { ...(type && { trigger: { type } }), steps }), 'test')
const triggers = async () =>
  (await publishedTriggers(database.postgres)).map(({ name, version, type }) => [name, version, type])
const since = async () => (await publishedTriggers(database.postgres))[0]!.since
const awaits = async (before: number) =>
  (await publishedAwaits(database.postgres, before)).map(({ type, fields }) => [type, ...fields]).sort()

it('the newest version of a name says what triggers it', async () => {
  await publish('a', 'x', pause)
  await publish('b', 'x', pause)
  await publish('a', 'y', pause)
  await publish('c', undefined, pause)
  await publish('d', 'x', pause)
  await publish('d', undefined, pause)
  await publish('e', 'x', pause)
  await definitions.retire(tenant, 'e')
  expect((await triggers()).sort()).toEqual([
    ['a', 2, 'y'],
    ['b', 1, 'x'],
  ])
})

it('a trigger counts since its type began to, without a break', async () => {
  const steps = (n: number) => ({ ...pause, id: `pause${n}` })
  const before = Date.now()
  await publish('a', 'x', steps(1))
  const first = await since()
  expect(first).toBeGreaterThanOrEqual(before - 1)
  await systemClock.sleep(3)
  await publish('a', 'x', steps(2))
  await publish('a', 'x', steps(3))
  expect(await since()).toBe(first)
  await publish('a', 'y', steps(3))
  const second = await since()
  expect(second).toBeGreaterThan(first)
  await systemClock.sleep(3)
  await publish('a', 'x', steps(3))
  const third = await since()
  expect(third).toBeGreaterThan(second)
  await definitions.retire(tenant, 'a')
  await systemClock.sleep(3)
  await publish('a', 'x', steps(3))
  expect(await since()).toBeGreaterThan(third)
})

it('what steps wait for counts for as long as sagas may run with their version', async () => {
  await publish('a', undefined, waitFor('x', 'data.b', 'data.a'), { ...waitFor('x', 'data.a', 'data.b'), id: 'again' })
  await publish('b', undefined, waitFor('y', 'subject'))
  await publish('a', undefined, pause)
  await definitions.retire(tenant, 'b')
  const both = [
    ['x', 'data.a', 'data.b'],
    ['y', 'subject'],
  ]
  expect(await awaits(Date.now() - 60_000)).toEqual(both)
  expect(await awaits(Date.now() + 60_000)).toEqual([])
  await publish('b', undefined, waitFor('y', 'subject'))
  expect(await awaits(Date.now() + 60_000)).toEqual([['y', 'subject']])
})

it('a publication is known from the moment in which it is committed, however long that takes', async () => {
  const interests = new Interests(database.postgres, systemClock)
  expect(await interests.asOfNow()).toBeUndefined()
  let publishing = Promise.resolve({})
  await database.postgres.tx(async (tx) => {
    // Has the publication wait between its definition and its commit.
    await tx.query('SELECT n FROM publications FOR UPDATE')
    publishing = publish('a', 'x', pause)
    for (let i = 0; i < 10; i++) {
      await systemClock.sleep(10)
      expect(await interests.asOfNow()).toBeUndefined()
    }
  })
  await publishing
  expect(await interests.asOfNow()).toBeDefined()
  await definitions.retire(tenant, 'a')
  expect(await interests.asOfNow()).toBeUndefined()
})

it('a look that was asked for after a publication sees it, though another one runs', async () => {
  const interests = new Interests(database.postgres, systemClock)
  for (let i = 0; i < 50; i++) {
    const looks = [interests.asOfNow(), interests.asOfNow()]
    await publish(`a${i}`, 'x', pause)
    looks.push(interests.asOfNow())
    expect(await interests.asOfNow()).toBeDefined()
    await Promise.all(looks)
    await definitions.retire(tenant, `a${i}`)
    expect(await interests.asOfNow()).toBeUndefined()
  }
})
