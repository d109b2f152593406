import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { KafkaCluster, KafkaNode, KafkaOptions } from './cluster.ts'
import { newClusterId } from './cluster-id.ts'
import { guardContainers } from './guardian.ts'
import { untilMember } from './member.ts'
import { freePorts } from './ports.ts'
import { clusterSettings, NODES } from './settings.ts'

/*
 * Brokers as containers. Each publishes its client port on loopback; brokers and controllers meet in a network of their
 * own. A container keeps its data from `docker kill` to `docker start`.
 */
const IMAGE = 'apache/kafka:4.1.0'
const PULL_DEADLINE_MS = 300_000
const DEADLINE_MS = 60_000

const run = promisify(execFile)
const docker = async (args: readonly string[], timeout = DEADLINE_MS): Promise<string> =>
  (await run('docker', args, { timeout })).stdout.trim()

export async function startDocker(options: KafkaOptions): Promise<KafkaCluster> {
  const network = `splitstream-kafka-${randomBytes(4).toString('hex')}`
  const ids = Array.from({ length: NODES }, (_, i) => i + 1)
  const names = ids.map((id) => `${network}-${id}`)
  const guardian = guardContainers(network, names)
  const stop = async (): Promise<void> => {
    await docker(['rm', '-f', '-v', ...names]) // no error for those that are not there
    await docker(['network', 'rm', network]).catch(() => {}) // it was never made
    guardian.dismiss()
  }
  try {
    await docker(['pull', '-q', IMAGE], PULL_DEADLINE_MS)
    await docker(['network', 'create', network])
    const ports = await freePorts(NODES)
    const clusterId = newClusterId()
    const voters = ids.map((id) => `${id}@${names[id - 1]}:9093`).join(',')
    const nodes = ids.map((id) => containerNode(id, names[id - 1]!, `127.0.0.1:${ports[id - 1]}`))
    for (const { id, broker } of nodes) {
      const name = names[id - 1]!
      const settings = {
        ...clusterSettings,
        'node.id': String(id),
        'controller.quorum.voters': voters,
        'inter.broker.listener.name': 'BROKER',
        listeners: 'CLIENT://:9092,BROKER://:19092,CONTROLLER://:9093',
        'advertised.listeners': `CLIENT://${broker},BROKER://${name}:19092`,
        ...options.settings,
      }
      const env = { CLUSTER_ID: clusterId, KAFKA_HEAP_OPTS: `-Xmx${options.heapMb ?? 320}m`, ...variables(settings) }
      const flags = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`])
      await docker(['run', '-d', '--name', name, '--network', network, '-p', `${broker}:9092`, ...flags, IMAGE])
    }
    await Promise.all(nodes.map(({ broker }) => untilMember(broker, ids, () => undefined)))
    return { kind: 'docker', brokers: nodes.map(({ broker }) => broker), nodes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function containerNode(id: number, name: string, broker: string): KafkaNode {
  const act = async (...args: string[]): Promise<void> => void (await docker([...args, name]))
  return {
    id,
    broker,
    kill: () => act('kill', '--signal', 'KILL'),
    pause: () => act('pause'),
    resume: () => act('unpause'),
    start: async () => {
      await act('start')
      await untilMember(broker, [id], () => undefined)
    },
  }
}

/** As the image reads them: a dot becomes _, a dash ___, an underscore __. */
function variables(settings: Readonly<Record<string, string>>): Record<string, string> {
  const escaped = { '.': '_', '-': '___', _: '__' } as Record<string, string>
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `KAFKA_${name.replace(/[._-]/g, (character) => escaped[character]!).toUpperCase()}`,
      value,
    ]),
  )
}
