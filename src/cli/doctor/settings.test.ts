import { expect, it } from 'vitest'
import { inspectConfig } from '../../config.ts'
import { readSettings } from './settings.ts'

const read = (env: Record<string, string>) => readSettings(inspectConfig(env, '/there/is/no/such/file'))

it('valid ones', () => {
  const { rows, topology } = read({})
  expect(rows.map(({ check, verdict }) => [check, verdict])).toEqual([
    ['settings', 'ok'],
    ['topology', 'ok'],
  ])
  expect(topology?.modules).toHaveLength(4)
})

it('each bad one has its row, and what is legal is used', () => {
  const { rows, config, topology } = read({ PORT: 'many', LOG_PARTITIONS: '0', LINK_EVENT: 'local', DATA_DIR: '/data' })
  expect(rows.map(({ check, verdict }) => [check, verdict])).toEqual([
    ['LINK_EVENT', 'fail'],
    ['PORT', 'fail'],
    ['LOG_PARTITIONS', 'fail'],
    ['topology', 'ok'],
  ])
  expect(rows[0]!.measured).toContain('did you mean LINK_EVENTS?')
  expect(rows[1]!.measured).toContain('found "many"')
  expect([config.PORT, config.LOG_PARTITIONS, config.DATA_DIR]).toEqual([8080, 2, '/data'])
  expect(topology).toBeDefined()
})

it('a secret is not shown, and a topology that cannot be is a row', () => {
  expect(JSON.stringify(read({ ADMIN_KEY: 'too-short-secret' }).rows)).not.toContain('too-short-secret')
  const { rows, topology } = read({ MODULES: 'query' })
  expect(rows[1]).toMatchObject({
    check: 'topology',
    verdict: 'fail',
    advice: expect.stringContaining('LINK_STORAGE_READ'),
  })
  expect(topology).toBeUndefined()
})
