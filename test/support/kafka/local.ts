import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { classArchive } from './class-archive.ts'
import type { KafkaCluster, KafkaOptions } from './cluster.ts'
import { newClusterId } from './cluster-id.ts'
import { guardFolder } from './guardian.ts'
import { ensureJars } from './jars.ts'
import type { Java } from './java.ts'
import { untilMember } from './member.ts'
import { LocalNode } from './node.ts'
import { freePorts } from './ports.ts'
import { type SecuredPorts, scramArguments, withSecured } from './secured.ts'
import { clusterSettings, NODES } from './settings.ts'

/** Of the one broker that leaves an archive of its classes. */
const SHUTDOWN_DEADLINE_MS = 20_000

/** Brokers as child processes on loopback, with their data in a temporary folder. */
export async function startLocal(java: Java, options: KafkaOptions): Promise<KafkaCluster> {
  const jars = await ensureJars()
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-kafka-'))
  const guardian = guardFolder(folder)
  const nodes: LocalNode[] = []
  const { secured } = options
  let securedPorts: SecuredPorts[] = []
  const archive = await classArchive(java, jars, folder)

  // Not a shutdown in good order: the data go, and a broker would hand over its partitions one by one.
  const end = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill()))
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    guardian.dismiss()
  }
  const stop = async (): Promise<void> => {
    if (archive.make && (await nodes[0]?.shutDown(SHUTDOWN_DEADLINE_MS))) await archive.make.keep()
    await end()
  }

  try {
    const ports = await freePorts(4 * NODES)
    securedPorts = Array.from({ length: NODES }, (_, i) => ({
      sasl: ports[2 * NODES + i]!,
      mutual: ports[3 * NODES + i]!,
    }))
    const voters = Array.from({ length: NODES }, (_, i) => `${i + 1}@127.0.0.1:${ports[NODES + i]}`).join(',')
    for (let id = 1; id <= NODES; id++) {
      const [port, controllerPort, own] = [ports[id - 1]!, ports[NODES + id - 1]!, join(folder, `node-${id}`)]
      const listeners = {
        all: `CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        advertised: `CLIENT://127.0.0.1:${port}`,
      }
      const settings = {
        ...clusterSettings,
        'node.id': String(id),
        'controller.quorum.voters': voters,
        'log.dirs': join(own, 'data'),
        'inter.broker.listener.name': 'CLIENT',
        listeners: listeners.all,
        'advertised.listeners': listeners.advertised,
        ...(secured && withSecured(listeners, securedPorts[id - 1]!, secured)),
        ...options.settings,
      }
      const heapMb = options.heapMb ?? 320
      const firstOptions = id === 1 ? archive.make?.options : undefined
      const setup = { id, port, folder: own, settings, java, jars, heapMb, options: archive.use, firstOptions }
      nodes.push(new LocalNode({ ...setup, ...(secured && { formatArguments: scramArguments(secured) }) }, guardian))
    }
    const clusterId = newClusterId()
    await Promise.all(nodes.map((node) => node.format(clusterId)))
    await Promise.all(nodes.map((node) => node.start()))
    const ids = nodes.map(({ id }) => id)
    await Promise.all(nodes.map((node) => untilMember(node.broker, ids, () => node.failure())))
  } catch (error) {
    await end()
    throw error
  }
  const at = (listener: keyof SecuredPorts): string[] => securedPorts.map((ports) => `127.0.0.1:${ports[listener]}`)
  const more = secured && { secured: { sasl: at('sasl'), mutual: at('mutual') } }
  return { kind: 'jars', brokers: nodes.map(({ broker }) => broker), nodes, stop, ...more }
}
