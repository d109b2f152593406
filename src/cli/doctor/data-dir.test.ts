import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadConfig } from '../../config.ts'
import { runChecks } from './check.ts'
import { dataDirChecks } from './data-dir.ts'
import { measureSync } from './fsync.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-doctor-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const config = (dataDir: string, env: Record<string, string> = {}) =>
  loadConfig({ DATA_DIR: dataDir, MIN_FREE_BYTES: '0', ...env }, '/there/is/no/such/file')
const look = async (dataDir: string, env: Record<string, string> = {}) => {
  const rows = await runChecks(dataDirChecks(config(dataDir, env)))
  return Object.fromEntries(rows.map((row) => [row.check, row]))
}

it('a folder of our own is as it should be, and one that is not there will be made', async () => {
  await chmod(dir, 0o700)
  expect((await look(dir)).DATA_DIR).toMatchObject({ verdict: 'ok', measured: `${dir}, mode 0700` })
  const later = join(dir, 'not', 'yet')
  expect((await look(later)).DATA_DIR).toMatchObject({
    verdict: 'ok',
    measured: `${later} is not there yet; a start makes it`,
  })
  expect(await readdir(dir)).toEqual([])
})

it('a folder that others can read, and a file in its place', async () => {
  await chmod(dir, 0o755)
  expect((await look(dir)).DATA_DIR).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('0700') })
  await writeFile(join(dir, 'file'), '')
  expect((await look(join(dir, 'file', 'data'))).DATA_DIR).toMatchObject({
    verdict: 'fail',
    measured: expect.stringContaining('set DATA_DIR'),
  })
})

it('a disk that is too small', async () => {
  const { 'disk space': space } = await look(dir, { MIN_FREE_BYTES: String(2 ** 50) })
  expect(space).toMatchObject({ verdict: 'fail', advice: expect.stringContaining('MIN_FREE_BYTES') })
  const log = await look(dir, { LOG_RETAIN_BYTES: String(2 ** 50) })
  expect(log['disk space']).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('LOG_RETAIN_BYTES') })
})

it('fsync is measured, and leaves nothing behind', async () => {
  const times = await measureSync(dir, new AbortController().signal, 100)
  expect(times.count).toBeGreaterThan(0)
  expect(times.p50).toBeGreaterThan(0)
  expect(times.p99).toBeGreaterThanOrEqual(times.p50)
  expect(await readdir(dir)).toEqual([])
})
