import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../config.ts'
import { judgeClock, skewOf } from './clock.ts'
import { judgeSync } from './fsync.ts'
import { checkMemory, checkNode, checkOpenFiles } from './machine.ts'
import { judgeHandOver } from './ports.ts'
import { judgePostgres } from './postgres.ts'
import { bytes, ms } from './units.ts'

const config = (env: Record<string, string> = {}) => loadConfig(env, '/there/is/no/such/file')
const gib = 2 ** 30

describe('what is measured is judged', () => {
  it('node', () => {
    expect(checkNode('24.0.0').verdict).toBe('ok')
    expect(checkNode('20.11.1')).toMatchObject({ verdict: 'fail', advice: expect.stringContaining('npm ci') })
  })

  it('memory, by the settings', () => {
    expect(checkMemory(config(), 4 * gib).verdict).toBe('ok')
    expect(checkMemory(config(), 2 * gib)).toMatchObject({
      verdict: 'warn',
      advice: expect.stringContaining('CLICKHOUSE_MAX_MEMORY_BYTES'),
    })
    expect(checkMemory(config({ CLICKHOUSE_MAX_MEMORY_BYTES: String(gib) }), 2 * gib).verdict).toBe('ok')
    const query = config({ MODULES: 'query', LINK_STORAGE_READ: 'http://a:1', POSTGRES_URL: 'postgres://u:p@h/d' })
    expect(checkMemory(query, gib).verdict).toBe('ok')
  })

  it('open files', () => {
    expect([undefined, 20_000, 4_096, 256].map((limit) => checkOpenFiles(limit).verdict)).toEqual([
      'ok',
      'ok',
      'warn',
      'fail',
    ])
  })

  it('whether a shared port hands connections over', () => {
    expect(judgeHandOver('1\n').verdict).toBe('ok')
    expect(judgeHandOver('0\n')).toMatchObject({
      verdict: 'warn',
      advice: expect.stringContaining('tcp_migrate_req=1'),
    })
    expect(judgeHandOver(undefined)).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('5.14') })
  })

  it('fsync, in words of who waits for it', () => {
    expect(judgeSync({ count: 1_000, p50: 0.4, p99: 3 }).verdict).toBe('ok')
    expect(judgeSync({ count: 100, p50: 12, p99: 60 })).toMatchObject({
      verdict: 'warn',
      advice: expect.stringContaining('one client that waits for each gets about 83 a second'),
    })
    expect(judgeSync({ count: 10, p50: 200, p99: 900 }).verdict).toBe('fail')
    expect(judgeSync({ count: 99_999, p50: 0.002, p99: 0.01 })).toMatchObject({
      verdict: 'warn',
      advice: expect.stringContaining('power cut'),
    })
  })

  it('clocks', () => {
    expect(judgeClock(0.3, true).verdict).toBe('ok')
    expect(judgeClock(0.3, undefined).verdict).toBe('ok')
    expect(judgeClock(0.3, false)).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('NTP') })
    expect(judgeClock(-40, true).verdict).toBe('warn')
    expect(skewOf(Date.now(), 5)).toBeUndefined()
    expect(skewOf(Date.now() - 90_000, 5)).toContain('apart')
  })

  const postgres = {
    version: '18.1',
    number: 180_001,
    now: String(Date.now()),
    recovering: false,
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    max_connections: 100,
    may_create: true,
    may_create_roles: true,
  }

  it.each([
    [{}, 'ok', undefined],
    [{ number: 110_000 }, 'fail', 'upgrade it'],
    [{ recovering: true }, 'fail', 'primary'],
    [{ fsync: 'off' }, 'fail', 'switch them on'],
    [{ synchronous_commit: 'off' }, 'fail', 'switch them on'],
    [{ may_create_roles: false }, 'fail', 'CREATEROLE'],
    [{ max_connections: 20 }, 'warn', 'raise it'],
    [{ now: '0' }, 'warn', 'apart'],
  ])('Postgres %j is %s', (more, verdict, advice) => {
    const found = judgePostgres({ ...postgres, now: String(Date.now()), ...more }, 1)
    expect(found.verdict).toBe(verdict)
    if (advice !== undefined) expect(found.advice).toContain(advice)
  })
})

it('units are for people', () => {
  expect([0, 512, 1536, 2 ** 30 * 1.5].map(bytes)).toEqual(['0 B', '512 B', '1.5 KiB', '1.5 GiB'])
  expect([0.0421, 3.14, 42.4, 1250].map(ms)).toEqual(['0.042 ms', '3.1 ms', '42.4 ms', '1,250 ms'])
})
