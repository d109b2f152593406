import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { type ModuleName, moduleNames } from '../../src/registry.ts'
import { startEngines } from '../support/fleet/engines.ts'
import { FleetProcess } from '../support/fleet/process.ts'
import { guardFolder } from '../support/kafka/guardian.ts'
import { freePorts } from '../support/kafka/ports.ts'

/* docs/extract-a-module.md as somebody walks it who does what stands there: the modules of each process are read from the page. */

const page = readFileSync(new URL('../../docs/extract-a-module.md', import.meta.url), 'utf8')
const within = { timeout: 20_000, interval: 50 }

/** Of the answers, what is looked at here. */
interface Answer {
  readonly events: readonly unknown[]
  readonly sagas: readonly { readonly status: string }[]
}

/** What the processes of a chapter run, in the order of its steps. */
function modulesIn(chapter: string): ModuleName[][] {
  const text = page.split(/^## /m).find((one) => one.startsWith(chapter))
  if (text === undefined) throw new Error(`the page has no chapter ${chapter}`)
  // Those of the steps; what may be done besides is for modules alone.
  const steps = text.matchAll(/(?:^ {3}|Then restart the first with `)MODULES=([a-z,]+)/gm)
  return [...steps].map(([, list]) => list!.split(',') as ModuleName[])
}

it.each(['Query, over HTTP', 'Storage, over Kafka'])('%s: every module runs in one process at the end', (chapter) => {
  const processes = modulesIn(chapter)
  expect(processes).toHaveLength(2)
  expect(processes.flat().toSorted()).toEqual(moduleNames.toSorted())
})

it('query moves out over HTTP: all that was there is answered, and sagas go on', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-extract-'))
  const guardian = guardFolder(dir)
  const engines = await startEngines(dir, { clickhouse: false })
  const [port, queryPort] = await freePorts(2)
  const [url, queryUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${queryPort}`]
  const adminKey = randomBytes(24).toString('hex')
  const shared = { ADMIN_KEY: adminKey, POSTGRES_URL: engines.postgresUrl, MIN_FREE_BYTES: '0' }
  const secret = { INTERNAL_SECRET: randomBytes(24).toString('hex') }
  const all: FleetProcess[] = []
  const start = async (at: string, modules: readonly ModuleName[], env: Record<string, string>) => {
    const name = at === url ? 'first' : 'query'
    const options = { dataDir: join(dir, name), env: { ...shared, ...env }, readyTimeoutMs: 60_000, guardian }
    const process = new FleetProcess({ name, modules, url: at }, options)
    all.push(process)
    await process.start()
    return process
  }
  const ask = async (at: string, method: string, path: string, body?: object): Promise<Answer> => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const response = await fetch(`${at}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true)
    return (await response.json()) as Answer
  }
  const place = (n: number) =>
    ask(url, 'POST', '/v1/events?wait=stored', { id: `${n}`, source: '/shop', type: 'placed', data: { n } })
  const told = async (at: string): Promise<number> => (await ask(at, 'GET', '/v1/events?type=told')).events.length
  try {
    let first = await start(url, moduleNames, {})
    await ask(url, 'PUT', '/v1/saga-definitions/order', {
      trigger: { type: 'placed' },
      steps: [
        { id: 'rest', wait: { for: '3s' } },
        { id: 'tell', emit: { type: 'told', subject: '${string(int(input.n))}', data: '${input}' } },
      ],
    })
    await place(1)
    await first.stop()
    first = await start(url, moduleNames, secret)
    const [ofQuery, ofFirst] = modulesIn('Query, over HTTP')
    await start(queryUrl, ofQuery!, { ...secret, MODULES: ofQuery!.join(','), LINK_STORAGE_READ: url })
    await place(2)
    await first.stop()
    first = await start(url, ofFirst!, { ...secret, MODULES: ofFirst!.join(',') })
    await place(3)
    // One that ran before the move, one that ran during it, and one of after.
    await vi.waitFor(async () => expect(await told(queryUrl)).toBe(3), within)
    const { sagas } = await ask(url, 'GET', '/v1/sagas?name=order')
    expect(sagas.map(({ status }) => status)).toEqual(Array(3).fill('completed'))
    expect((await ask(queryUrl, 'GET', '/v1/events?type=placed')).events).toHaveLength(3)
  } catch (error) {
    process.stderr.write(all.map((one) => one.output().slice(-5_000)).join('\n'))
    throw error
  } finally {
    await Promise.all(all.map((one) => one.end()))
    await engines.stop()
    await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    guardian.dismiss()
  }
}, 120_000)
