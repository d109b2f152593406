import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../../src/engines/clickhouse/embedded.ts'
import { type RunningServer, startServer } from '../../support/server.ts'
import { startToxicProxy } from '../../support/toxics/proxy.ts'
import { onEnd, started, temporaryFolder } from '../cleanup.ts'
import { progress } from '../progress.ts'
import { type Load, type Outcome, openLoop, within } from './load.ts'
import type { Product } from './product.ts'
import { sendEvents } from './send-events.ts'
import { Watch } from './watch.ts'

export interface DependencyFigures {
  readonly product: string
  /** From the fault to the open breaker, ms; undefined: it never opened. */
  readonly openMs: number | undefined
  /** From the heal until it is closed, ms; undefined: it was never open. */
  readonly closedMs: number | undefined
  /** Statements a second that reached ClickHouse: before the fault, and from 3 s after it began. */
  readonly before: number
  readonly during: number
  /** Requests that were due during the fault, by how they ended. */
  readonly fresh: number
  readonly stale: number
  readonly refused: number
  readonly other: number
  /** Part of those that took over 1,100 ms. */
  readonly slowShare: number
  /** Requests that were due 5 s after the heal or later and were not answered afresh. */
  readonly notBack: number
}

export interface DependencyPlan {
  readonly rate: number
  readonly beforeMs: number
  readonly faultMs: number
  readonly afterMs: number
}

const key = randomBytes(24).toString('hex')
const [wellMs, illMs, settledMs] = [5, 1_500, 3_000]
/** Sources that are asked for again and again; each tenth question is a new one, which no earlier answer can stand in for. */
const sources = 20

/** ClickHouse 5 ms away, then 1,500 ms, then 5 ms, under queries at a fixed rate. */
export async function measureDependency(product: Product, plan: DependencyPlan): Promise<DependencyFigures> {
  progress(`faults: ClickHouse 5 → 1,500 ms, ${product.name}`)
  const folder = temporaryFolder()
  const engine = await started(startEmbeddedClickHouse({ dataDir: join(folder.path, 'clickhouse') }), (it) => it.stop())
  const proxy = await startToxicProxy({ target: engine.thing.url })
  const endProxy = onEnd(() => proxy.stop())
  const latency = (ms: number): void => proxy.set('down', { kind: 'latency', ms })
  latency(wellMs)
  const server = await started(startProduct(product, folder.path, engine.thing, proxy.port), (it) => it.stop())
  await sendEvents(server.thing.url, key, sources)
  const { url } = server.thing
  const load = openLoop(plan.rate, key, (n) => questionOf(url, n))
  const watch = new Watch(url, engine.thing)
  // What is compiled for the first time is not counted.
  await sleep(2_000)
  const from = performance.now()
  await sleep(plan.beforeMs)
  const ill = performance.now()
  latency(illMs)
  await sleep(plan.faultMs)
  const healed = performance.now()
  latency(wellMs)
  await sleep(plan.afterMs)
  await load.stop()
  const figures = figuresOf(product, load, watch, { from, ill, healed })
  await watch.stop()
  await server.stop()
  await endProxy()
  await engine.stop()
  await folder.remove()
  return figures
}

function startProduct(
  { entry }: Product,
  folder: string,
  { username, password }: EmbeddedClickHouse,
  port: number,
): Promise<RunningServer> {
  const env = {
    ADMIN_KEY: key,
    LOG_LEVEL: 'warn',
    CLICKHOUSE_URL: `http://${username}:${password}@127.0.0.1:${port}/splitstream`,
  }
  return startServer({ dataDir: join(folder, 'data'), env, ...(entry !== undefined && { entry }) })
}

const questionOf = (url: string, n: number): string =>
  n % 10 === 9
    ? `${url}/v1/events?limit=5&from=${new Date(946_684_800_000 + n * 1_000).toISOString()}`
    : `${url}/v1/events?limit=5&source=/bench/${n % sources}`

function figuresOf(
  product: Product,
  { outcomes }: Load,
  watch: Watch,
  { from, ill, healed }: { from: number; ill: number; healed: number },
): DependencyFigures {
  const faulty = within(outcomes, ill, healed)
  const count = (is: (one: Outcome) => boolean): number => faulty.filter(is).length
  const fresh = count(({ status, stale }) => status === 200 && !stale)
  const stale = count((one) => one.stale)
  const refused = count(({ status, retryAfter }) => status === 503 && retryAfter !== undefined)
  const opened = watch.first('open', ill)
  const closed = watch.first('closed', healed)
  const back = within(outcomes, healed + 5_000, Number.POSITIVE_INFINITY)
  return {
    product: product.name,
    openMs: opened === undefined ? undefined : opened - ill,
    closedMs: opened === undefined || closed === undefined ? undefined : closed - healed,
    before: watch.statements(from, ill),
    during: watch.statements(ill + settledMs, healed),
    fresh,
    stale,
    refused,
    other: faulty.length - fresh - stale - refused,
    slowShare: count(({ ms }) => ms > 1_100) / faulty.length,
    notBack: back.filter(({ status, stale }) => status !== 200 || stale).length,
  }
}
