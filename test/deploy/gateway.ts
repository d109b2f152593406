import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Operation } from '@splitstream/kernel'
import { describe, moduleNames } from '../../src/registry.ts'
import { type RunningHaproxy, startHaproxy } from '../support/haproxy.ts'
import { checkOutlier, Slowness } from './outlier.ts'
import { root, run } from './run.ts'
import { haproxy } from './tools.ts'

/** HAProxy takes the configuration, and with it sends every route of a module to a process that runs that module. */
export async function checkGateway(): Promise<void> {
  const file = join(root, 'deploy/gateway/haproxy.cfg')
  const { program, env } = await haproxy()
  const said = await run(program, ['-c', '-f', file], { env: { ...env, DOMAIN: '' } })
  if (/warning/i.test(said)) throw new Error(`${file}: ${said}`)

  // Before the servers have checks to answer: it takes its time.
  const known = await routes()
  const servers = await Promise.all(moduleNames.map((module) => namesake(module)))
  const slowness = [new Slowness(), new Slowness(), new Slowness()]
  const queries = await Promise.all(slowness.map((one) => namesake('query', one)))
  const servedBy = (all: readonly Server[]) => all.map((one) => `127.0.0.1:${(one.address() as AddressInfo).port}`)
  const backends = moduleNames.map((module, i) => [module, servedBy(module === 'query' ? queries : [servers[i]!])])
  let gateway: RunningHaproxy | undefined
  try {
    gateway = await startHaproxy(Object.fromEntries(backends))
    const { url } = gateway
    for (const { module, method, path } of known) {
      const answer = await fetch(url + path, { method })
      const by = answer.headers.get('module')
      if (answer.headers.get('forwarded-for') === null) throw new Error('modules must know that connections are shared')
      await answer.arrayBuffer()
      if (by !== module)
        throw new Error(`${method} ${path} is of ${module}, and goes to ${by ?? `nobody (${answer.status})`}`)
    }
    await checkLiveStream(url)
    await checkOutlier(url, slowness)
    for (const path of ['/internal/ports', '/metrics', '/health']) {
      const { status } = await fetch(url + path)
      if (status !== 404) throw new Error(`${path} is of one process alone, and the gateway answers ${status}`)
    }
    const text = await (await fetch(`${gateway.operations}/metrics`)).text()
    if (!/^haproxy_backend_active_servers\{proxy="ingest"\} 1$/m.test(text)) {
      throw new Error('deploy/prometheus/alerts.yml goes by haproxy_backend_active_servers, which there is not')
    }
  } finally {
    await gateway?.stop()
    for (const server of [...servers, ...queries]) {
      server.closeAllConnections()
      server.close()
    }
  }
}

/** What a live stream says comes at once, though no more follows, and as it is. */
async function checkLiveStream(url: string): Promise<void> {
  const headers = { accept: 'text/event-stream', 'accept-encoding': 'gzip' }
  const answer = await fetch(`${url}/v1/events/stream`, { headers, signal: AbortSignal.timeout(5_000) })
  const reader = answer.body!.getReader()
  const { value } = await reader.read().catch(() => ({ value: undefined }))
  await reader.cancel().catch(() => undefined)
  if (answer.headers.has('content-encoding') || Buffer.from(value ?? []).toString() !== ': \n\n') {
    throw new Error('the gateway holds back or changes what a live stream says')
  }
}

/** Ready, and says which module it stands for. To who asks for a live stream it says one thing, without an end. */
async function namesake(module: string, slowness?: Slowness): Promise<Server> {
  const server = createServer((request, response) => {
    const { 'x-forwarded-for': forwardedFor } = request.headers
    if (forwardedFor !== undefined) response.setHeader('forwarded-for', forwardedFor)
    response.setHeader('module', module)
    if (request.headers.accept === 'text/event-stream')
      response.setHeader('content-type', 'text/event-stream').write(': \n\n')
    else if (!slowness || request.url === '/health/ready') response.end()
    else setTimeout(() => response.end(), slowness.next())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** Of each module, as it describes them. */
async function routes(): Promise<{ module: string; method: string; path: string }[]> {
  const found = await Promise.all(
    moduleNames.map(async (module) =>
      Object.values<Operation>(await describe[module]()).map(({ method, path }) => ({
        ...{ module, method },
        path: path.replaceAll(/:\w+/g, 'x'),
      })),
    ),
  )
  return found.flat()
}
