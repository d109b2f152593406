import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEngines } from '../../support/fleet/engines.ts'
import { startServer } from '../../support/server.ts'
import { startToxicProxy, type ToxicProxy } from '../../support/toxics/proxy.ts'
import { onEnd, started, temporaryFolder } from '../cleanup.ts'
import { progress } from '../progress.ts'
import { percentile } from '../stats.ts'
import { type Outcome, openLoop, within } from './load.ts'
import type { Product } from './product.ts'
import { sendEvents } from './send-events.ts'

export interface GrayFigures {
  readonly product: string
  /** From the fault until the ill one was out of rotation, ms; undefined: it never was. */
  readonly outMs: number | undefined
  readonly beforeP99Ms: number
  /** Of requests that were due after it was out, or 10 s after the fault. */
  readonly afterP99Ms: number
  /** Most of the three that were out at once. */
  readonly mostOut: number
  /** Looks at which a well one was out. */
  readonly wellOut: number
  /** Readiness checks that were not green. */
  readonly redChecks: number
  /** Requests that were not answered with 200. */
  readonly failed: number
}

export interface GrayPlan {
  readonly rate: number
  readonly beforeMs: number
  readonly afterMs: number
  /** Part of the answers of the ill one that are late. */
  readonly share: number
}

/** Of the events that are asked for. */
export const sources = 20
const lateMs = 300
const outWithinMs = 10_000

export interface Look {
  readonly at: number
  readonly out: readonly string[]
  readonly green: boolean
}

/**
 * Three ways to one storage process, as the instances of one link of one query process, each a few ms away; then one of them
 * gives a part of its answers 300 ms later.
 */
export async function measureGray(product: Product, plan: GrayPlan): Promise<GrayFigures> {
  progress(`faults: one of three instances + 300 ms, ${product.name}`)
  const folder = temporaryFolder()
  const engines = await started(startEngines(folder.path, { clickhouse: false }), (it) => it.stop())
  const key = randomBytes(24).toString('hex')
  const common = {
    ADMIN_KEY: key,
    INTERNAL_SECRET: randomBytes(24).toString('hex'),
    LOG_LEVEL: 'warn',
    POSTGRES_URL: engines.thing.postgresUrl,
  }
  const entry = product.entry === undefined ? {} : { entry: product.entry }
  const start = (env: Record<string, string>) =>
    started(startServer({ env: { ...common, ...env }, ...entry }), (it) => it.stop())
  const store = await start({ MODULES: 'ingest,storage' })
  const proxies: ToxicProxy[] = []
  for (let i = 0; i < 3; i++) {
    const proxy = await startToxicProxy({ target: store.thing.url, seed: i + 1 })
    onEnd(() => proxy.stop())
    proxy.set('down', { kind: 'latency', ms: 5 })
    proxies.push(proxy)
  }
  const query = await start({
    MODULES: 'query',
    LINK_STORAGE_READ: `http://${proxies.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
  })
  await sendEvents(store.thing.url, key, sources)
  const { url } = query.thing
  const figures = await measureIll(plan, {
    product: product.name,
    ...{ url, key, proxy: proxies[2]!, illOne: `http://127.0.0.1:${proxies[2]!.port}` },
    ...{ everyMs: 100, look: () => look(url, key) },
  })
  await query.stop()
  await Promise.all(proxies.map((proxy) => proxy.stop()))
  await store.stop()
  await engines.stop()
  await folder.remove()
  return figures
}

async function look(url: string, key: string): Promise<Look> {
  const at = performance.now()
  const [topology, ready] = await Promise.all([
    fetch(`${url}/v1/topology`, { headers: { authorization: `Bearer ${key}` } }),
    fetch(`${url}/health/ready`),
  ])
  const { instances } = (await topology.json()) as {
    instances: Record<string, readonly { origin: string; state: string }[]>
  }
  await ready.text()
  const out = (instances['storage.read'] ?? []).filter(({ state }) => state !== 'serving').map(({ origin }) => origin)
  return { at, out, green: ready.status === 200 }
}

/** What is asked and looked at, and which of three turns ill. */
export interface Ill {
  readonly product: string
  /** Takes the requests. */
  readonly url: string
  readonly key: string
  /** Of the one that turns ill; `illOne` is its name in looks. */
  readonly proxy: ToxicProxy
  readonly illOne: string
  readonly everyMs: number
  look(): Promise<Look>
}

/** Requests at a fixed rate, and looks beside them, before and after one of three is ill. */
export async function measureIll(plan: GrayPlan, ill: Ill): Promise<GrayFigures> {
  const load = openLoop(plan.rate, ill.key, (n) => `${ill.url}/v1/events?limit=5&source=/bench/${n % sources}`)
  const looks: Look[] = []
  const lookOnce = () =>
    ill.look().then(
      (one) => looks.push(one),
      () => undefined, // ended meanwhile
    )
  const timer = setInterval(() => void lookOnce(), ill.everyMs)
  const endLooks = onEnd(async () => clearInterval(timer))
  // What is compiled for the first time is not counted.
  await sleep(5_000)
  const from = performance.now()
  await sleep(plan.beforeMs)
  const since = performance.now()
  ill.proxy.set('down', { kind: 'latency', ms: 5 }, { kind: 'latency', ms: lateMs, share: plan.share })
  await sleep(outWithinMs + plan.afterMs)
  await endLooks()
  await load.stop()
  return grayFigures(ill.product, load.outcomes, looks, { from, ill: since, illOne: ill.illOne })
}

function grayFigures(
  product: string,
  outcomes: readonly Outcome[],
  looks: readonly Look[],
  { from, ill, illOne }: { readonly from: number; readonly ill: number; readonly illOne: string },
): GrayFigures {
  const p99 = (some: readonly Outcome[]): number =>
    percentile(
      some.map(({ ms }) => ms),
      0.99,
    )
  const outAt = looks.find(({ at, out }) => at >= ill && out.includes(illOne))?.at
  const settled = Math.min(outAt ?? Number.POSITIVE_INFINITY, ill + outWithinMs)
  return {
    product,
    outMs: outAt === undefined ? undefined : outAt - ill,
    beforeP99Ms: p99(within(outcomes, from, ill)),
    afterP99Ms: p99(within(outcomes, settled, Number.POSITIVE_INFINITY)),
    mostOut: Math.max(0, ...looks.map(({ out }) => out.length)),
    wellOut: looks.filter(({ out }) => out.some((one) => one !== illOne)).length,
    redChecks: looks.filter(({ green }) => !green).length,
    failed: outcomes.filter(({ status }) => status !== 200).length,
  }
}
