import { type ClickHouse, ClickHouseError, systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engine } from './child.fixture.ts'
import { connectClickHouse } from './client.ts'
import { checkProfile, checkTables, checkVersion, explained } from './server-checks.ts'

const call = () => systemCall(systemClock, 20_000, new AbortController().signal)
const refused = (words: string) => ({ code: 'CONFIG_INVALID', message: expect.stringContaining(words) })

let server: ClickHouse & { close(): Promise<void> }
beforeAll(async () => {
  const bare = connectClickHouse({ ...engine, database: 'default' })
  await bare.command({ sql: 'CREATE DATABASE checks' }, call())
  await bare.close()
  server = connectClickHouse({ ...engine, database: 'checks' })
})
afterAll(() => server?.close())

/** The same server, whose profile or version is another one. */
const answering = (answer: unknown): ClickHouse => ({ ...server, rows: async () => [answer] as never })

describe('checkVersion', () => {
  it('takes the engine, and every newer one', async () => {
    await checkVersion(server, 'a', call())
    await checkVersion(answering({ version: '25.8.1.1' }), 'a', call())
    await checkVersion(answering({ version: '27.1.1.1' }), 'a', call())
  })

  it.each(['25.7.9.1', '24.12.1.1', '18.16.1', ''])('refuses %s', async (version) => {
    await expect(checkVersion(answering({ version }), 'a:8123', call())).rejects.toMatchObject(refused('25.8 or newer'))
  })
})

describe('checkProfile', () => {
  it('takes the defaults', () => checkProfile(server, 'a', call()))

  it.each([
    ['max_insert_block_size_bytes', '1000000'],
    ['use_strict_insert_block_limits', '1'],
    ['deduplicate_insert', 'disable'],
  ])('refuses %s = %s', async (setting, value) => {
    // As the server shows it to a user whose profile has it.
    const settings = { [setting]: value }
    const other: ClickHouse = { ...server, rows: (query, within) => server.rows({ ...query, settings }, within) }
    await expect(checkProfile(other, 'a', call())).rejects.toMatchObject(refused(`${setting} = ${value}`))
  })

  it('has a reason: such an insert is in several parts', async () => {
    // Else parts may be merged before they are counted.
    const unmerged = 'SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1'
    const sql = `CREATE TABLE parts (a UInt64) ENGINE = MergeTree ORDER BY a ${unmerged}`
    await server.command({ sql }, call())
    const body = Buffer.alloc(8 * 50_000)
    const settings = { max_insert_block_size_bytes: 40_000, use_strict_insert_block_limits: 1 }
    const insert = { table: 'parts', columns: ['a'], format: 'RowBinary', body }
    const parts = async (): Promise<number> => {
      const sql = 'SELECT uniqExact(_part) AS n FROM parts'
      return Number((await server.rows<{ n: string }>({ sql }, call()))[0]!.n)
    }
    await server.insert(insert, call())
    expect(await parts()).toBe(1)
    await server.insert({ ...insert, body: Buffer.alloc(body.length, 1), settings }, call())
    expect(await parts()).toBeGreaterThan(2)
  })
})

describe('checkTables', () => {
  it('takes plain tables without a cluster, and no table with one', async () => {
    await checkTables(server, { name: 'a', cluster: undefined }, call())
  })

  it('refuses plain tables with a cluster, and a table that forgets its inserts', async () => {
    const table = 'CREATE OR REPLACE TABLE events (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS'
    await server.command({ sql: `${table} non_replicated_deduplication_window = 10000` }, call())
    await checkTables(server, { name: 'a', cluster: undefined }, call())
    const clustered = checkTables(server, { name: 'a:8123', cluster: 'three' }, call())
    await expect(clustered).rejects.toMatchObject(refused('CLICKHOUSE_CLUSTER=three is set'))
    await server.command({ sql: `${table} non_replicated_deduplication_window = 0` }, call())
    const forgetful = checkTables(server, { name: 'a', cluster: undefined }, call())
    await expect(forgetful).rejects.toMatchObject(refused('remembers 0 inserts'))
  })
})

it('explains what a server says that is set up wrong, and leaves the rest alone', () => {
  const of = (number: number) => explained(new ClickHouseError(number, 'X', 'Not enough privileges', false), 'a:8123')
  expect(of(497)).toMatchObject(refused('Not enough privileges'))
  expect(of(516)).toMatchObject(refused('password'))
  expect(of(164)).toMatchObject(refused('readonly'))
  expect(of(60)).toMatchObject({ number: 60 })
})
