import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isRoot } from '../chaos/mounts.ts'
import { serverProcesses } from '../chaos/processes.ts'
import { freePort, type RunningServer, startServer } from '../support/server.ts'

/*
 * A process that is not root takes other branches than one that is: its engines run as itself. As root, as CI is, the user is
 * nobody; else it is whoever runs the test.
 */
const nobody = { uid: 65_534, gid: 65_534 }
const run = promisify(execFile)
const repository = fileURLToPath(new URL('../../', import.meta.url))
const adminKey = 'unprivileged-key-unprivileged-key-unprivileged'

let folder: string
/** The repository, where that user can read it. */
let tree = repository
let mounted: string | undefined

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-unprivileged-'))
  await chmod(folder, 0o711)
  await mkdir(join(folder, 'home'), { mode: 0o700 })
  if (!isRoot) return
  await chown(join(folder, 'home'), nobody.uid, nobody.gid)
  if (!(await isOpen(repository))) tree = await mountedCopy()
})
afterAll(async () => {
  if (mounted !== undefined) await run('umount', [mounted])
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
})

/** Whether all folders above let everybody through. */
async function isOpen(path: string): Promise<boolean> {
  if (((await stat(path)).mode & 0o001) === 0) return false
  return path === dirname(path) || isOpen(dirname(path))
}

/** The clone may be below a private folder, which is not ours to open: the same tree, at a path that is open. */
async function mountedCopy(): Promise<string> {
  const place = join(folder, 'tree')
  await mkdir(place)
  await run('mount', ['--bind', repository, place])
  mounted = place
  return place
}

async function start(): Promise<RunningServer> {
  const home = join(folder, 'home')
  return await startServer({
    dataDir: join(home, 'data'),
    cwd: home,
    env: { ADMIN_KEY: adminKey, HOME: home },
    port: await freePort(),
    node: join(tree, 'node_modules/node/bin/node'),
    entry: join(tree, 'src/main.ts'),
    ...(isRoot && { account: nobody }),
  })
}

const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }

async function stored(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/events`, { headers })
  return ((await answer.json()) as { events: { id: string }[] }).events.map(({ id }) => id)
}

it('is started by a user that is not root, keeps what it stored over a kill, and stops', async () => {
  const owner = isRoot ? nobody.uid : process.getuid?.()
  const first = await start()
  try {
    const body = '{"id":"1","source":"/u","type":"t"}'
    const answer = await fetch(`${first.url}/v1/events?wait=stored`, { method: 'POST', headers, body })
    expect(answer.status).toBe(200)
    const { all, clickhouse, postmaster } = serverProcesses(first.dataDir)
    expect([clickhouse, postmaster]).not.toContain(undefined)
    for (const { pid } of all) expect((await stat(`/proc/${pid}`)).uid).toBe(owner)
    expect((await stat(first.dataDir)).mode & 0o777).toBe(0o700)
  } finally {
    // Its Postgres is left for the next start to end.
    first.kill('SIGKILL')
    await first.exited
  }
  const second = await start()
  try {
    expect(await stored(second.url)).toEqual(['1'])
  } finally {
    expect(await second.stop()).toBe(0)
    await first.stop()
  }
})
