import { randomBytes } from 'node:crypto'
import { startEngines } from '../../support/fleet/engines.ts'
import { type RunningHaproxy, startHaproxy } from '../../support/haproxy.ts'
import { startServer } from '../../support/server.ts'
import { startToxicProxy, type ToxicProxy } from '../../support/toxics/proxy.ts'
import { onEnd, started, temporaryFolder } from '../cleanup.ts'
import { progress } from '../progress.ts'
import { type GrayFigures, type GrayPlan, type Look, measureIll, sources } from './gray.ts'
import { sendEvents } from './send-events.ts'

/** HAProxy takes the one that is late out of this line. */
const timed = '  http-response lua.timed\n'

/**
 * Three query processes, each a few ms away from the gateway, which is all that clients know; then one of them gives a part of its answers
 * 300 ms later.
 */
export async function measureGateway(watched: boolean, plan: GrayPlan): Promise<GrayFigures> {
  const product = watched ? 'as it is' : 'without the watch'
  progress(`faults: one of three query processes behind the gateway + 300 ms, ${product}`)
  const folder = temporaryFolder()
  const engines = await started(startEngines(folder.path, { clickhouse: false }), (it) => it.stop())
  const key = randomBytes(24).toString('hex')
  const common = {
    ADMIN_KEY: key,
    INTERNAL_SECRET: randomBytes(24).toString('hex'),
    LOG_LEVEL: 'warn',
    POSTGRES_URL: engines.thing.postgresUrl,
  }
  const start = (env: Record<string, string>) => started(startServer({ env: { ...common, ...env } }), (it) => it.stop())
  const store = await start({ MODULES: 'ingest,storage' })
  const queries = [1, 2, 3].map(() => start({ MODULES: 'query', LINK_STORAGE_READ: store.thing.url }))
  const proxies: ToxicProxy[] = []
  for (const [i, query] of (await Promise.all(queries)).entries()) {
    const proxy = await startToxicProxy({ target: query.thing.url, seed: i + 1 })
    onEnd(() => proxy.stop())
    proxy.set('down', { kind: 'latency', ms: 5 })
    proxies.push(proxy)
  }
  await sendEvents(store.thing.url, key, sources)
  const servers = {
    ingest: [addressOf(store.thing.url)],
    storage: [addressOf(store.thing.url)],
    query: proxies.map(({ url }) => addressOf(url)),
    sagas: [addressOf(store.thing.url)],
  }
  const gateway = await started(
    startHaproxy(servers, (config) => (watched ? config : config.replace(timed, ''))),
    (it) => it.stop(),
  )
  const figures = await measureIll(plan, {
    product,
    ...{ url: gateway.thing.url, key, proxy: proxies[2]!, illOne: 'query-2' },
    ...{ everyMs: 200, look: () => look(gateway.thing) },
  })
  await gateway.stop()
  await Promise.all(proxies.map((proxy) => proxy.stop()))
  for (const query of queries) await (await query).stop()
  await store.stop()
  await engines.stop()
  await folder.remove()
  return figures
}

const addressOf = (url: string): string => new URL(url).host

/** A server that is drained gets nothing; one that is down has failed its checks. */
async function look({ url, operations }: RunningHaproxy): Promise<Look> {
  const at = performance.now()
  const [metrics, ready] = await Promise.all([
    fetch(`${operations}/metrics?scope=server`),
    fetch(`${url}/health/ready`),
  ])
  const text = await metrics.text()
  await ready.text()
  const inState = (state: string): string[] =>
    [...text.matchAll(/^haproxy_server_status\{proxy="query",server="([^"]+)",state="([^"]+)"\} 1$/gm)]
      .filter(([, , is]) => is === state)
      .map(([, server]) => server!)
  return { at, out: inState('DRAIN'), green: ready.status === 200 && inState('DOWN').length === 0 }
}
