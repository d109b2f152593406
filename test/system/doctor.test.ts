import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disksUnavailable } from '../chaos/mounts.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { freePort, type RunningServer, startServer } from '../support/server.ts'
import { describeUnless } from '../support/suite.ts'
import { doctor as diagnose, root, run } from './doctor.fixture.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-doctor-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const doctor = (env: Record<string, string>, ...args: string[]) => diagnose(dir, env, ...args)

describe('without a server', () => {
  it('finds nothing wrong with a machine that runs the tests, and leaves nothing behind', async () => {
    const { code, rows } = await doctor({ MIN_FREE_BYTES: '0' })
    expect([...rows.values()].filter(({ verdict }) => verdict === 'fail')).toEqual([])
    expect(code).toBe(0)
    expect(rows.get('fsync')?.measured).toMatch(/^p50 .* ms, p99 .* ms over \d+ appends/)
    expect(rows.get('embedded ClickHouse')?.verdict).toBe('ok')
    expect(rows.get('server')?.measured).toContain('none runs')
    expect(await readdir(dir)).toEqual([])
  })

  it('finds each thing that is planted, within its time', async () => {
    const [closed, taken] = [await freePort(), await listening()]
    const at = `127.0.0.1:${closed}`
    const from = performance.now()
    const { code, rows } = await doctor({
      PORT: String(taken.port),
      DATA_DIR: join(root, 'package.json', 'data'),
      MIN_FREE_BYTES: String(2 ** 50),
      LOG_PARTITIONS: 'none',
      POSTGRES_URL: `postgres://u:p@${at}/d`,
      CLICKHOUSE_URL: `http://u:p@${at}`,
      LINK_EVENTS: `kafka://${at}`,
      REDIS_URLS: `redis://${at}`,
      CONSUL_URL: `http://${at}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${at}`,
    })
    taken.server.close()
    expect(performance.now() - from).toBeLessThan(30_000)
    expect(code).toBe(1)
    const verdicts = Object.fromEntries([...rows].map(([check, { verdict }]) => [check, verdict]))
    expect(verdicts).toMatchObject({
      LOG_PARTITIONS: 'fail',
      fsync: 'fail',
      DATA_DIR: 'fail',
      PORT: 'fail',
      Postgres: 'fail',
      ClickHouse: 'fail',
      Kafka: 'fail',
      [`Redis ${at}`]: 'fail',
      Consul: 'fail',
      'OTLP collector': 'warn',
    })
    expect(rows.get('Postgres')).toMatchObject({
      measured: expect.stringContaining('ECONNREFUSED'),
      advice: expect.stringContaining('POSTGRES_URL'),
    })
    expect(rows.get('PORT')?.advice).toContain('is in use: set PORT')
    expect(JSON.stringify([...rows.values()])).not.toContain('u:p')
  })
})

describeUnless(disksUnavailable(), 'on file systems of its own', () => {
  const mounted = async (name: string, options: string, look: (path: string) => Promise<void>): Promise<void> => {
    const path = join(dir, name)
    await mkdir(path)
    await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
    try {
      await look(path)
    } finally {
      await run('umount', [path])
      await rm(path, { recursive: true })
    }
  }

  it('a disk that is too small, and is memory', () =>
    mounted('small', 'size=16m,mode=700', async (path) => {
      const { code, rows } = await doctor({ DATA_DIR: path })
      expect(code).toBe(1)
      expect(rows.get('disk space')).toMatchObject({ verdict: 'fail', measured: '16 MiB free of 16 MiB' })
      expect(rows.get('file system')).toMatchObject({ verdict: 'warn', measured: 'tmpfs' })
      expect(rows.get('fsync')?.verdict).not.toBe('fail')
    }))

  it('a folder that is read-only', () =>
    mounted('closed', 'ro,size=1g,mode=700', async (path) => {
      const { code, rows } = await doctor({ DATA_DIR: path })
      expect(code).toBe(1)
      expect(rows.get('DATA_DIR')).toMatchObject({
        verdict: 'fail',
        measured: expect.stringContaining('cannot be written to'),
      })
      expect(rows.get('fsync')).toMatchObject({ verdict: 'fail', measured: expect.stringContaining('EROFS') })
    }))
})

describe('beside servers', () => {
  let server: RunningServer
  let fleet: Fleet
  beforeAll(async () => {
    server = await startServer()
    fleet = await startFleet({
      processes: [
        { name: 'writer', modules: ['ingest', 'storage', 'sagas'] },
        { name: 'reader', modules: ['query'] },
      ],
      events: 'local',
      sharedClickHouse: true,
    })
  }, 120_000)
  afterAll(async () => {
    await server?.stop()
    await fleet?.stop()
  })

  it('looks at the server that runs where the settings say', async () => {
    const { port } = new URL(server.url)
    const { rows } = await doctor({ PORT: port, DATA_DIR: server.dataDir }, '--key', server.adminKey)
    expect(rows.get('PORT')?.measured).toContain('by a Splitstream that runs already')
    expect(rows.get('server')?.measured).toMatch(/ is ok, round trip/)
    expect(rows.get('server topology')?.measured).toBe('modules there: ingest, storage, query, sagas')
    expect(rows.get('DATA_DIR')?.measured).toContain('mode 0700')
    const stranger = await doctor({ PORT: port }, '--key', 'nobody-has-this-key')
    expect(stranger.rows.get('server topology')).toMatchObject({
      verdict: 'warn',
      advice: expect.stringContaining('--key'),
    })
    const nobody = await doctor({}, '--url', `http://127.0.0.1:${await freePort()}`)
    expect([nobody.code, nobody.rows.get('server')?.verdict]).toEqual([1, 'fail'])
  })

  it('asks Postgres, ClickHouse and the processes of a split', async () => {
    const { env } = fleet.process('reader')
    const common = { ...env, POSTGRES_URL: fleet.postgresUrl, CLICKHOUSE_URL: fleet.clickhouseUrl! }
    const { code, rows } = await doctor({
      ...common,
      MODULES: 'all',
      LINK_STORAGE_READ: 'local',
      LINK_INGEST_APPEND: 'local',
    })
    expect(rows.get('Postgres')).toMatchObject({
      verdict: 'ok',
      measured: expect.stringMatching(/^version \d+.*, round trip/),
    })
    expect(rows.get('ClickHouse')).toMatchObject({
      verdict: 'ok',
      measured: expect.stringMatching(/^version \d+\.\d+.*free$/),
    })
    expect(code).toBe(0)
    const reader = await doctor(common)
    expect(reader.rows.get('link storage.read')).toMatchObject({
      verdict: 'ok',
      measured: expect.stringContaining('1 of 1 instances'),
    })
    const stranger = await doctor({ ...common, INTERNAL_SECRET: 'another-secret-another-secret-another' })
    expect(stranger.rows.get('link storage.read')).toMatchObject({
      verdict: 'fail',
      measured: expect.stringContaining('INTERNAL_SECRET'),
    })
    const locked = await doctor({ ...common, POSTGRES_URL: fleet.postgresUrl.replace(/:[^:@/]+@/, ':wrong@') })
    expect(locked.rows.get('Postgres')).toMatchObject({
      verdict: 'fail',
      measured: expect.stringContaining('password'),
    })
  })
})

/** Something that is no Splitstream. */
async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer((_, response) => response.end('{}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port }
}
