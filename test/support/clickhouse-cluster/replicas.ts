import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { guardFolder } from '../kafka/guardian.ts'
import { freePorts } from '../kafka/ports.ts'
import { engineCopy, engineCopyMissing } from './engine-copy.ts'
import { type Interserver, startInterserver } from './interserver.ts'
import type { ReplicaStart } from './replica-child.ts'
import { startZooKeeper, type ZooKeeper, zookeeperMissing } from './zookeeper.ts'

/** Replicas of the real engine that replicate through a real ZooKeeper; processes of their own on loopback. */
export interface Replicas {
  readonly cluster: string
  /** http://user:password@a,b,c/database */
  readonly url: string
  /** http://host:port of each. */
  readonly origins: readonly string[]
  readonly username: string
  readonly password: string
  isRunning(index: number): boolean
  /** `kill -9`; the data stay. */
  kill(index: number): Promise<void>
  /** Stops it in its tracks, or lets it go on: its port takes connections, and nobody answers. */
  freeze(index: number, frozen: boolean): void
  /** On the same port, with its data, or without if `empty`. */
  start(index: number, o?: { empty?: boolean }): Promise<void>
  /** Whether others get this one's parts. */
  share(index: number, shared: boolean): void
  stopZooKeeper(): Promise<void>
  startZooKeeper(): Promise<void>
  stop(): Promise<void>
}

export interface ReplicasOptions {
  readonly count: number
  readonly database: string
  /** Macros that a replica lacks or has otherwise, and the like: the whole of what is added to its configuration. */
  readonly xml?: (index: number, usual: string) => string
}

const entry = fileURLToPath(new URL('./replica-child.ts', import.meta.url))
const cluster = 'three'
const [username, password] = ['splitstream', 'a,secret/with@signs']

/** Undefined when replicas can be started here; else what is missing. */
export async function replicasMissing(): Promise<string | undefined> {
  return engineCopyMissing() ?? (await zookeeperMissing())
}

export async function startReplicas(o: ReplicasOptions): Promise<Replicas> {
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-replicas-'))
  const guardian = guardFolder(folder)
  const engine = await engineCopy()
  const [keeperPort = 0, interserverPort = 0, ...ports] = await freePorts(2 + o.count)
  const names = ports.map((_, i) => `replica-${i + 1}`)
  const children: (ChildProcess | undefined)[] = ports.map(() => undefined)
  let zookeeper: ZooKeeper | undefined
  let starting: Promise<void> = Promise.resolve()
  let interserver: Interserver | undefined

  const xml = (index: number): string => {
    const hosts = ports.map((port) => `<replica><host>127.0.0.1</host><port>${port}</port></replica>`).join('')
    // A server that begins a session ends the one that it had before, which it finds by its UUID. The engine without a server has
    // none: all would end each other's sessions, if they looked for them in one place.
    const sessions = `<session_timeout_ms>4000</session_timeout_ms><sessions_path>/clickhouse/sessions/${names[index]}</sessions_path>`
    return `<zookeeper><node><host>127.0.0.1</host><port>${keeperPort}</port></node>${sessions}</zookeeper>
<merge_tree><max_postpone_time_for_failed_replicated_fetches_ms>500</max_postpone_time_for_failed_replicated_fetches_ms></merge_tree>
<macros><shard>1</shard><replica>${names[index]}</replica></macros>
<remote_servers><${cluster}><shard><internal_replication>true</internal_replication>${hosts}</shard></${cluster}></remote_servers>`
  }
  const start = async (index: number, empty = false): Promise<void> => {
    const own = join(folder, names[index]!)
    if (empty) await rm(own, { recursive: true, force: true })
    const child = fork(entry, [], {
      env: { UV_THREADPOOL_SIZE: '32', TZ: 'UTC' },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    children[index] = child
    const usual = xml(index)
    child.send({
      ...{ folder: own, engine, username, password, port: ports[index]!, interserverPort },
      xml: o.xml?.(index, usual) ?? usual,
    } satisfies ReplicaStart)
    const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [{ failed?: string }]
    if (message?.failed !== undefined || child.exitCode !== null) throw new Error(`no replica: ${message?.failed}`)
  }
  const kill = async (index: number): Promise<void> => {
    const child = children[index]
    children[index] = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((_, i) => kill(i)))
    // One that is just being started ends by itself when it does not come up.
    await starting.catch(() => undefined)
    await zookeeper?.stop()
    await interserver?.stop()
    guardian.dismiss()
    await rm(folder, { recursive: true, force: true })
  }
  const keeper = (): Promise<void> => {
    starting = startZooKeeper(join(folder, 'zookeeper'), keeperPort, guardian.began).then((started) => {
      zookeeper = started
    })
    return starting
  }
  try {
    await keeper()
    const folders = new Map(names.map((name) => [name, join(folder, name, 'data')]))
    interserver = await startInterserver(interserverPort, folders)
    await Promise.all(ports.map((_, i) => start(i)))
  } catch (error) {
    await stop()
    throw error
  }
  const hosts = ports.map((port) => `127.0.0.1:${port}`)
  return {
    cluster,
    url: `http://${username}:${encodeURIComponent(password)}@${hosts.join(',')}/${o.database}`,
    origins: hosts.map((host) => `http://${host}`),
    username,
    password,
    isRunning: (index) => children[index]?.connected === true,
    kill,
    freeze: (index, frozen) => void children[index]?.kill(frozen ? 'SIGSTOP' : 'SIGCONT'),
    start: (index, more) => start(index, more?.empty),
    share: (index, shared) => {
      if (shared) interserver!.cut.delete(names[index]!)
      else interserver!.cut.add(names[index]!)
    },
    stopZooKeeper: () => zookeeper!.stop(),
    startZooKeeper: keeper,
    stop,
  }
}
