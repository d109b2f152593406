import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { noMetrics, noTracer, silentLogger, systemClock } from '@splitstream/kernel'
import { staticResolver } from '../../src/discovery/static.ts'
import { callOverHttp } from '../../src/transports/http/client.ts'
import { ConnectionPool } from '../../src/transports/http/pool.ts'
import { createPortServer, type PortServer, servePort } from '../../src/transports/http/server.ts'
import { TlsListener } from '../../src/transports/http/tls/listener.ts'
import { Peers } from '../../src/transports/http/tls/peers.ts'
import type { CurrentCredentials } from '../../src/transports/http/tls/rotation.ts'
import { bindObserved } from '../../src/transports/inproc/bind.ts'
import { bindForcedEncoding } from '../../src/transports/inproc/forced-encoding.ts'
import { PortCalls } from '../../src/transports/port-calls.ts'
import { bindFrozen } from './frozen.ts'
import { LifecycleGuard } from './lifecycle-guard.ts'
import { SampleCallee } from './sample-callee.ts'
import { type Sample, samplePort } from './sample-port.ts'

/** A caller and a callee, joined by one adapter. */
export interface Joined {
  readonly port: Sample
  readonly callee: SampleCallee
  /** Stops the callee: lets its calls end, then takes none any more. */
  stopCallee(): Promise<void>
  startCallee(): Promise<void>
  /** The next call has its effect, and its answer does not arrive. */
  loseNextAnswer(): void
  close(): Promise<void>
}

type Bind = typeof bindForcedEncoding

/** As the product binds a port of its own process (src/bind.ts). */
const bindAsProduct: Bind = (port, target, clock) => bindObserved(port, target, clock, calls)
const calls = new PortCalls({ clock: systemClock, metrics: noMetrics, tracer: noTracer })

/** Every adapter of call ports that needs nothing, by name. */
export const adapters: readonly (readonly [string, () => Promise<Joined>])[] = [
  ['in process', async () => inOneProcess(bindAsProduct)],
  ['in process, frozen', async () => inOneProcess(bindFrozen)],
  ['in process, forced encoding', async () => inOneProcess(bindForcedEncoding)],
  ['HTTP', overHttp],
]

function inOneProcess(bind: Bind): Joined {
  const callee = new SampleCallee()
  const guard = new LifecycleGuard(callee)
  const port = bind(samplePort, () => guard.guarded, systemClock)
  callee.port = port
  return {
    port,
    callee,
    stopCallee: () => guard.stop(),
    startCallee: async () => guard.start(),
    loseNextAnswer: () => guard.loseNextAnswer(),
    close: async () => {},
  }
}

const secret = 'the secret of the contract suite'

async function overHttp(): Promise<Joined> {
  return joined('http', new ConnectionPool(), (callee, faults, port) => serve(callee, faults, port))
}

/** Both sides show a certificate, and nothing else. */
export async function overMutualTls(credentials: CurrentCredentials): Promise<Joined> {
  return joined('https', new ConnectionPool({}, credentials), (callee, faults, port) =>
    serveMutual(credentials, callee, faults, port),
  )
}

interface Faults {
  loseNext: boolean
}

async function joined(
  scheme: 'http' | 'https',
  pool: ConnectionPool,
  serveAt: (callee: SampleCallee, faults: Faults, port: number) => Promise<Side>,
): Promise<Joined> {
  const callee = new SampleCallee()
  const faults = { loseNext: false }
  let side = await serveAt(callee, faults, 0)
  const instances = staticResolver([`${scheme}://127.0.0.1:${side.port}`])
  const shown = scheme === 'http' ? { secret } : {}
  const port = callOverHttp(samplePort, { instances, pool, clock: systemClock, calls, ...shown })
  callee.port = port
  return {
    port,
    callee,
    stopCallee: () => side.stop(),
    startCallee: async () => {
      side = await serveAt(callee, faults, side.port)
    },
    loseNextAnswer: () => {
      faults.loseNext = true
    },
    close: async () => {
      pool.close()
      await side.stop()
    },
  }
}

interface Side {
  readonly port: number
  stop(): Promise<void>
}

async function serve(callee: SampleCallee, faults: Faults, port: number): Promise<Side> {
  const ports = [servePort(samplePort, () => callee)]
  const served = createPortServer({ ports, secret, clock: systemClock, logger: silentLogger })
  const server = createServer(losing(faults, served))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, stop: () => stopServer(server, served) }
}

async function serveMutual(
  credentials: CurrentCredentials,
  callee: SampleCallee,
  faults: Faults,
  port: number,
): Promise<Side> {
  const ports = [servePort(samplePort, () => callee)]
  const common = { clock: systemClock, logger: silentLogger }
  const peers = new Peers([])
  const served = createPortServer({ ports, refusal: peers.refusal, ...common })
  const address = { host: '127.0.0.1', port }
  const listener = new TlsListener({ address, credentials, peers, handler: losing(faults, served), ...common })
  const { url } = await listener.start()
  const stop = async (): Promise<void> => {
    await served.stop(5_000)
    await listener.stop(0)
    await delay(10)
  }
  return { port: Number(new URL(url).port), stop }
}

/** The answer is made, and the connection breaks before a byte of it leaves. */
const losing =
  (faults: Faults, { handler }: PortServer): RequestListener =>
  (request, response) => {
    if (faults.loseNext) {
      faults.loseNext = false
      response.writeHead = () => response.destroy()
    }
    handler(request, response)
  }

async function stopServer(server: Server, served: PortServer): Promise<void> {
  await served.stop(5_000)
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
  // The caller's idle connections learn of it a moment later. A call within that moment is one whose outcome is unknown.
  await delay(10)
}
