import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type LocalLog, openLocalLog } from '../transports/log/local-log.ts'
import { AnsweringFolder } from './answering-folder.ts'
import { Backups } from './backups.ts'

/* A disk that hangs, as one on a network does: a pipe that nobody writes to cannot be opened either, for as long as one likes. */

const run = promisify(execFile)
let home: string
let pipe: string
let log: LocalLog | undefined

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'splitstream-hangs-'))
  pipe = join(home, 'pipe')
  await run('mkfifo', [pipe])
})
afterEach(async () => {
  // Whoever hangs goes on.
  closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK))
  await log?.stop()
  log = undefined
  await rm(home, { recursive: true, force: true })
})

async function openLog(minFreeBytes: number): Promise<void> {
  const dir = join(home, 'log')
  log = await openLocalLog({
    ...{ dir, partitions: 1, clock: systemClock, logger: silentLogger, minFreeBytes, retainBytes: 0, retainMs: 0 },
    groups: ['storage'],
  })
}

/** Backups of the log, of which the copy of Postgres hangs. */
async function hangingBackups(): Promise<Backups> {
  const files = [{ from: pipe, path: 'postgres/file', size: 0 }]
  const backups = new Backups({
    dir: join(home, 'backups'),
    dataDir: join(home, 'data'),
    ...{ bytesPerSecond: 0, minFreeBytes: 0, clock: systemClock, logger: silentLogger },
    sources: {
      log: { dir: join(home, 'log'), partitions: 1, hold: log!.hold },
      postgres: {
        backup: async (_, copy) => {
          await copy({ directories: ['postgres'], links: [], files })
          throw new Error('nobody gets here')
        },
      },
      clickhouse: { snapshot: async () => undefined },
    },
  })
  await backups.begin('one')
  const hangs = async (): Promise<boolean> =>
    (await readdir(join(home, 'backups'), { recursive: true })).some((name) => name.endsWith('/postgres'))
  // Or it has ended before: when the disk is full, that takes half a second.
  const ended = async (): Promise<boolean> => (await backups.get('one')).state === 'failed'
  await expect.poll(async () => (await hangs()) || (await ended()), { timeout: 10_000 }).toBe(true)
  return backups
}

const append = (): Promise<unknown> =>
  log!.append(
    [{ partition: 0, count: 1, bytes: Buffer.from('x') }],
    systemCall(systemClock, 1_000, new AbortController().signal),
  )

it('a copy that hangs: a cancelled backup ends within seconds, and the log gives up what is consumed', async () => {
  await openLog(0)
  const backups = await hangingBackups()
  await append()
  log!.commit('storage', 0, 1)
  const from = performance.now()
  await backups.cancel('one')
  expect(performance.now() - from).toBeLessThan(5_000)
  expect(await backups.get('one')).toMatchObject({ state: 'failed', error: { code: 'CANCELLED' } })
  await expect.poll(() => log!.stats().partitions[0]!.start, { timeout: 5_000 }).toBe(1)
})

it('a disk that gets full while a copy hangs: the log gives up what is consumed, though it is held', async () => {
  await openLog(0)
  await append()
  await log!.stop()
  await openLog(2 ** 60)
  const hold = log!.hold()
  log!.commit('storage', 0, 1)
  await expect.poll(() => log!.stats().partitions[0]!.start, { timeout: 5_000 }).toBe(1)
  expect(hold.signal.reason).toMatchObject({ code: 'DISK_FULL' })
  const backups = await hangingBackups()
  await expect.poll(() => backups.get('one'), { timeout: 10_000 }).toMatchObject({ error: { code: 'DISK_FULL' } })
})

it('a folder that hangs is not asked again, so that it holds one thread alone; it is once it answers', async () => {
  const folder = new AnsweringFolder(100)
  const hanging = folder.ask(() => open(pipe, 'r'))
  await expect(hanging).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('BACKUP_DIR does not answer'),
  })
  let asked = false
  const next = folder.ask(async () => {
    asked = true
  })
  await expect(next).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(asked).toBe(false)
  const writer = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  await expect.poll(() => folder.ask(async () => 'answers').catch(() => undefined)).toBe('answers')
  closeSync(writer)
})

it.each(['thread', 'folder'])('a %s that hangs does not keep the process from its end', async (what) => {
  const source = fileURLToPath(new URL('../', import.meta.url))
  const program = `
    import { Worker } from 'node:worker_threads'
    import { open } from 'node:fs/promises'
    import { endThread } from '${source}end-thread.ts'
    import { AnsweringFolder } from '${source}backup/answering-folder.ts'
    const pipe = ${JSON.stringify(pipe)}
    if ('${what}' === 'thread') {
      const worker = new Worker("process.getBuiltinModule('node:fs').openSync(" + JSON.stringify(pipe) + ", 'r')", { eval: true })
      await new Promise((resolve) => worker.once('online', resolve))
      await new Promise((resolve) => setTimeout(resolve, 200))
      await endThread(worker)
    } else await new AnsweringFolder(100).ask(() => open(pipe, 'r')).catch(() => undefined)
    process.exit(0)`
  const args = ['--input-type=module', '-e', program]
  const ended = await run(process.execPath, args, { timeout: 10_000 }).catch((error: unknown) => error)
  // The time limit above would end it by SIGTERM.
  expect(ended).toMatchObject({ signal: 'SIGKILL', killed: false })
})
