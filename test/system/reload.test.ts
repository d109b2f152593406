import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'

let folder: string
let server: RunningServer
const atStart = ['LOG_LEVEL=info', 'MAX_EVENT_BYTES=1048576']

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-reload-'))
  await writeFile(join(folder, '.env'), atStart.join('\n'))
  server = await startServer({ cwd: folder })
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const send = () =>
  fetch(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id: randomUUID(), source: '/reload', type: 't' }),
  })
const lines = (): Record<string, unknown>[] =>
  server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
/** Writes the settings and has them read. @returns what the server says next */
async function reread(...given: string[]): Promise<Record<string, unknown>[]> {
  await writeFile(join(folder, '.env'), given.join('\n'))
  const before = lines().length
  server.kill('SIGHUP')
  const next = () => lines().slice(before)
  await vi.waitUntil(() => next().some(({ msg }) => `${msg}`.startsWith('settings were read again')), 10_000)
  return next()
}

beforeEach(async () => {
  await reread(...atStart)
})

it('takes over what can be changed while it runs', async () => {
  expect([(await send()).status, (await send()).status]).toEqual([202, 202])
  expect(await reread(...atStart, 'QUOTA_TENANT_REQUESTS=1')).toContainEqual(
    expect.objectContaining({ msg: 'settings were read again', changed: ['QUOTA_TENANT_REQUESTS'] }),
  )
  expect([(await send()).status, (await send()).status]).toEqual([202, 429])
})

it('says what waits for a restart', async () => {
  const told = await reread('LOG_LEVEL=info', 'MAX_EVENT_BYTES=2097152')
  await vi.waitUntil(() => lines().some(({ msg }) => msg === 'changed settings wait for a restart'), 10_000)
  expect(told[0]).toMatchObject({ msg: 'settings were read again', changed: [] })
  expect(lines().findLast(({ level }) => level === 'warn')).toMatchObject({ settings: ['MAX_EVENT_BYTES'] })
})

it('keeps all settings when one is not valid, and goes on', async () => {
  const [told] = await reread('LOG_LEVEL=loud', 'QUOTA_TENANT_REQUESTS=1')
  expect(told).toMatchObject({ level: 'error', error: expect.stringContaining('LOG_LEVEL: found "loud"') as string })
  expect([(await send()).status, (await send()).status]).toEqual([202, 202])
})

it('writes fewer lines from then on when told so', async () => {
  await writeFile(join(folder, '.env'), 'LOG_LEVEL=error\nQUOTA_TENANT_REQUESTS=1')
  server.kill('SIGHUP')
  await vi.waitUntil(async () => (await send()).status === 429, 10_000)
  const told = lines().filter(({ changed }) => `${changed}`.includes('LOG_LEVEL'))
  expect(told.at(-1)?.changed).not.toEqual(['LOG_LEVEL', 'QUOTA_TENANT_REQUESTS'])
})
