import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectPostgres, type Pool } from './driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'

/* A host that is gone without a word is noticed by the system, which asks a connection that is silent. */

let folder: string
let server: EmbeddedPostgres
let pool: Pool

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-keep-alive-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  pool = connectPostgres({ url: server.url, applicationName: 'alive', max: 1 })
})
afterAll(async () => {
  await pool?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Seconds until the system asks, of the connection of that name; undefined when it does not ask (proc_pid_net(5)). */
async function asksIn(name: string): Promise<number | undefined> {
  const sql = 'SELECT client_port AS port FROM pg_stat_activity WHERE application_name = $1'
  const [client] = await pool.query<{ port: number }>(sql, [name])
  const ends = `: ${address(client?.port ?? 0)} ${address(Number(new URL(server.url).port))} `
  const line = (await readFile('/proc/net/tcp', 'latin1')).split('\n').find((one) => one.includes(ends))
  const [, when = ''] = / 02:([0-9A-F]{8}) /.exec(line ?? '') ?? []
  return when === '' ? undefined : Number.parseInt(when, 16) / 100
}

const address = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`

it.runIf(process.platform === 'linux')('a connection that listens, and one of the pool: within 10 s', async () => {
  const listener = pool.listen('test', () => undefined)
  await expect.poll(() => asksIn('alive listener')).toBeLessThanOrEqual(10)
  await expect.poll(() => asksIn('alive')).toBeLessThanOrEqual(10)
  await listener.stop()
})
