import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connectPostgres } from './driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { commandOf, signal, until } from './processes.ts'

// initdb fsyncs a thousand files: on a busy disk that takes seconds.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 })

let folder: string
let dataDir: string
const running: EmbeddedPostgres[] = []
const helpers: ChildProcess[] = []
const closing: (() => Promise<void>)[] = []

beforeEach(async () => {
  // mkdtemp makes it 0700: as root, the server's account has no path to it.
  folder = await mkdtemp(join(tmpdir(), 'splitstream-pg-'))
  dataDir = join(folder, 'postgres')
})

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  for (const helper of helpers.splice(0)) helper.kill('SIGKILL')
  for (const server of running.splice(0)) await server.stop()
  await rm(folder, { recursive: true, force: true })
})

async function start(onExit?: (info: { restarts: number }) => void): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, onExit })
  running.push(server)
  return server
}

function connect(server: EmbeddedPostgres) {
  const db = connectPostgres({ url: server.url, applicationName: 'test', connectTimeoutMs: 1_000 })
  closing.push(() => db.close())
  return db
}

/** Asks until it is answered. */
async function answered(db: { query<T>(text: string): Promise<T[]> }, ms = 10_000): Promise<void> {
  const ok = await until(() => db.query('SELECT 1').then(Boolean, () => false), ms, 20)
  expect(ok).toBe(true)
}

/** A zombie, which its new parent has not reaped yet, is dead. */
async function alive(pid: number): Promise<boolean> {
  const uid = (await stat(join(dataDir, 'cluster', 'pgdata'))).uid
  return (await commandOf(uid, pid)) !== undefined
}

/** Another process that starts the server, says its pid, and waits. */
async function helper(): Promise<{ child: ChildProcess; postmaster: number }> {
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)})
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} })
    console.log(server.pid)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  helpers.push(child)
  const postmaster = await new Promise<number>((resolve, reject) => {
    child.stdout?.once('data', (text: Buffer) => resolve(Number(text.toString())))
    child.once('exit', () => reject(new Error('the helper ended')))
  })
  return { child, postmaster }
}

async function killAndReap(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

async function killGuardianOf(postmaster: number): Promise<void> {
  for (const name of await readdir('/proc')) {
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (command.endsWith(`splitstream-postgres-guardian\0${postmaster}\0`)) signal(Number(name), 'SIGKILL')
  }
}

describe('start and stop', () => {
  it('makes a durable, checksummed cluster, keeps its rows, and is quick the second time', async () => {
    const first = await start()
    const db = connect(first)
    const on = 'data_checksums fsync full_page_writes synchronous_commit'.split(' ')
    for (const name of on) expect(await db.query(`SHOW ${name}`)).toEqual([{ [name]: 'on' }])
    expect(await db.query('SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }])
    expect(await db.query('SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
    await db.query('CREATE TABLE t AS SELECT generate_series(1, 1000) AS n')
    await db.close()
    await first.stop()
    await first.stop()
    expect(await alive(first.pid)).toBe(false)

    const from = performance.now()
    const second = await start()
    expect(performance.now() - from).toBeLessThan(2_000) // Some 50 ms on an idle machine.
    expect(await connect(second).query('SELECT count(*)::int AS n FROM t')).toEqual([{ n: 1000 }])
  })

  it('never runs the server as root, and keeps folder and password private', async () => {
    const server = await start()
    const self = process.getuid?.()
    const { uid } = await stat(join(dataDir, 'cluster', 'pgdata'))
    expect(uid).not.toBe(0)
    if (self !== 0) expect(uid).toBe(self)
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
    expect((await stat(dataDir)).uid).toBe(self)
    expect((await stat(join(dataDir, 'cluster', 'password'))).mode & 0o777).toBe(0o600)
    const wrong = connectPostgres({ url: server.url.replace(/:[^:@]+@/, ':wrong@'), applicationName: 'test' })
    closing.push(() => wrong.close())
    await expect(wrong.query('SELECT 1')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('refuses a folder that a live process holds, and leaves its server alone', async () => {
    const server = await start()
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toMatchObject({ code: 'CONFLICT' })
    await answered(connect(server))
  })

  it('removes what a crash in the middle of initdb left', async () => {
    await mkdir(join(dataDir, 'init-abcdef', 'pgdata', 'base'), { recursive: true })
    await writeFile(join(dataDir, 'init-abcdef', 'pgdata', 'PG_VERSION'), '18\n')
    await answered(connect(await start()))
    expect((await readdir(dataDir)).toSorted()).toEqual(['cluster', 'owner'])
  })
})

describe('supervision', () => {
  it('brings a killed postmaster back on the same port; nothing that was acknowledged is lost', async () => {
    const exits: number[] = []
    const server = await start((info) => exits.push(info.restarts))
    const db = connect(server)
    const { url } = server
    await db.query('CREATE TABLE acked (n integer PRIMARY KEY)')
    const acked: number[] = []
    let writing = true
    const writer = (async () => {
      for (let n = 0; writing; n++) {
        const done = await db.query('INSERT INTO acked VALUES ($1)', [n]).then(Boolean, () => false)
        if (done) acked.push(n)
      }
    })()
    for (let round = 1; round <= 3; round++) {
      const { pid } = server
      const before = acked.length
      await until(() => acked.length > before + 20, 5_000)
      signal(pid, 'SIGKILL')
      expect(await until(() => server.pid !== pid, 10_000)).toBe(true)
      await answered(db)
    }
    writing = false
    await writer
    expect(exits).toEqual([1, 2, 3])
    expect(server.url).toBe(url)
    const stored = new Set((await db.query<{ n: number }>('SELECT n FROM acked')).map(({ n }) => n))
    expect(acked.length).toBeGreaterThan(60)
    expect(acked.filter((n) => !stored.has(n))).toEqual([])
  })

  it('survives the death of a backend without a restart of the postmaster', async () => {
    const server = await start()
    const db = connect(server)
    const { pid } = server
    const [row] = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    signal(row?.pid ?? -1, 'SIGKILL')
    await answered(db)
    expect(server.pid).toBe(pid)
  })

  it('stops while it is being restarted', async () => {
    const server = await start()
    signal(server.pid, 'SIGKILL')
    await server.stop()
    expect(await alive(server.pid)).toBe(false)
    await answered(connect(await start()))
  })
})

describe('after kill -9 of the owner', () => {
  it('ends the orphan and starts its own', async () => {
    const { child, postmaster } = await helper()
    await killGuardianOf(postmaster)
    await killAndReap(child)
    expect(await alive(postmaster)).toBe(true)
    const server = await start()
    expect(server.pid).not.toBe(postmaster)
    expect(await alive(postmaster)).toBe(false)
    await answered(connect(server))
  })

  it('ends the server soon, even if nobody starts again', async () => {
    const { child, postmaster } = await helper()
    await killAndReap(child)
    expect(await until(async () => !(await alive(postmaster)), 5_000)).toBe(true)
  })

  it('starts when the postmaster died too and its sessions are still there', async () => {
    const { child, postmaster } = await helper()
    await killGuardianOf(postmaster)
    await killAndReap(child)
    signal(postmaster, 'SIGKILL')
    await answered(connect(await start()))
  })

  it('is not blocked by a stale postmaster.pid or owner whose pid is somebody else now', async () => {
    const first = await start()
    await first.stop()
    // A live process of the very account that the server runs as: Postgres by itself would refuse to start.
    const pgdata = join(dataDir, 'cluster', 'pgdata')
    const { uid, gid } = await stat(pgdata)
    const other = spawn('sleep', ['60'], { uid, gid, cwd: '/', stdio: 'ignore' })
    helpers.push(other)
    await writeFile(join(pgdata, 'postmaster.pid'), `${other.pid}\n${pgdata}\n1\n5432\n\n127.0.0.1\n\nready\n`)
    await writeFile(join(dataDir, 'owner'), `${process.pid} long-ago 00\n`)
    await answered(connect(await start()))
    expect(await alive(other.pid ?? -1)).toBe(true)
  })
})
