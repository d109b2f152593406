import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'

/** A folder that is mounted into a container: settings that change there reach a process whose own environment cannot. */
let folder: string
let server: RunningServer
let versions = 0

/** As Kubernetes changes a mounted ConfigMap: a folder of a new name, then the link of all of it moves there at once. */
async function mount(text: string): Promise<void> {
  const version = join(folder, `..${versions++}`)
  await mkdir(version)
  await writeFile(join(version, 'splitstream.env'), text)
  await symlink(version, join(folder, '..next'))
  await rename(join(folder, '..next'), join(folder, '..data'))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-mounted-'))
  await mount('# nothing yet\n')
  const file = join(folder, 'splitstream.env')
  await symlink(join('..data', 'splitstream.env'), file)
  server = await startServer({ cwd: folder, env: { CONFIG_FILE: file, MAX_EVENT_BYTES: '1048576' } })
})
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

const send = () =>
  fetch(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id: randomUUID(), source: '/reload', type: 't' }),
  })
const statuses = async () => [(await send()).status, (await send()).status]
const said = (text: string) => vi.waitUntil(() => server.output().includes(text), 20_000)

it('takes over what changes in the file that CONFIG_FILE names, by itself and when asked; the environment wins', async () => {
  expect(await statuses()).toEqual([202, 202])
  await mount('QUOTA_TENANT_REQUESTS=1\nMAX_EVENT_BYTES=2097152\n')
  await said('"changed":["QUOTA_TENANT_REQUESTS"]')
  expect(await statuses()).toEqual([202, 429])
  // Its own environment cannot change: nothing waits for a restart.
  expect(server.output()).not.toContain('changed settings wait for a restart')

  await mount('QUOTA_TENANT_REQUESTS=1000\nLOG_LEVEL=warm\n')
  await said('LOG_LEVEL: found \\"warm\\"')
  expect((await statuses()).at(-1)).toBe(429)

  await mount('QUOTA_TENANT_REQUESTS=1000\nLOG_LEVEL=debug\n')
  server.kill('SIGHUP')
  await said('"changed":["LOG_LEVEL","QUOTA_TENANT_REQUESTS"]')
  expect(await statuses()).toEqual([202, 202])
})

it('does not start without the file, and not with one that names another', async () => {
  const start = (env: Record<string, string>) => startServer({ env }).then((one) => one.stop())
  await expect(start({ CONFIG_FILE: join(folder, 'gone.env') })).rejects.toThrow(
    /CONFIG_FILE: found ".*gone.env", which cannot be read \(ENOENT\)/,
  )
  const second = join(folder, 'second.env')
  await writeFile(second, 'CONFIG_FILE=other.env\n')
  await expect(start({ CONFIG_FILE: second })).rejects.toThrow(/CONFIG_FILE: a file of settings cannot name another/)
})
