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
import { clusterSettings, NODES } from './settings.ts'

/** Of the one broker that leaves an archive of its classes. */
const SHUTDOWN_DEADLINE_MS = 20_000

/** Brokers as child processes on loopback, with their data in a temporary folder. */
export async function startLocal(java: Java, options: KafkaOptions): Promise<KafkaCluster> {
  const jars = await ensureJars()
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-kafka-'))
  const guardian = guardFolder(folder)
  const nodes: LocalNode[] = []
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
    const ports = await freePorts(2 * NODES)
    const voters = Array.from({ length: NODES }, (_, i) => `${i + 1}@127.0.0.1:${ports[NODES + i]}`).join(',')
    for (let id = 1; id <= NODES; id++) {
      const [port, controllerPort, own] = [ports[id - 1]!, ports[NODES + id - 1]!, join(folder, `node-${id}`)]
      const settings = {
        ...clusterSettings,
        'node.id': String(id),
        'controller.quorum.voters': voters,
        'log.dirs': join(own, 'data'),
        'inter.broker.listener.name': 'CLIENT',
        listeners: `CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        'advertised.listeners': `CLIENT://127.0.0.1:${port}`,
        ...options.settings,
      }
      const heapMb = options.heapMb ?? 320
      const firstOptions = id === 1 ? archive.make?.options : undefined
      const setup = { id, port, folder: own, settings, java, jars, heapMb, options: archive.use, firstOptions }
      nodes.push(new LocalNode(setup, guardian))
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
  return { kind: 'jars', brokers: nodes.map(({ broker }) => broker), nodes, stop }
}
