import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findJava, javaArguments, javaEnvironment } from '../kafka/java.ts'
import { artifactMissing, fetchArtifact } from '../maven.ts'

/** Apache ZooKeeper, of whose protocol Keeper's is one: what replicas meet in. From Maven Central, with its SHA-256. */
const jars: readonly (readonly [path: string, sha256: string])[] = [
  [
    'org/apache/zookeeper/zookeeper/3.9.5/zookeeper-3.9.5.jar',
    '936d025db1a85f085edea25048c3f5b3de5fc29329c371a10925e3b78b0b38a0',
  ],
  [
    'org/apache/zookeeper/zookeeper-jute/3.9.5/zookeeper-jute-3.9.5.jar',
    'abcbc7f9d6c493daa118da6fa3061a201e2c521217526e8535adfb56b629e52a',
  ],
  [
    'io/dropwizard/metrics/metrics-core/4.1.12.1/metrics-core-4.1.12.1.jar',
    'cec34936faa625039f4e46123eccaa10a9eb9d9a40c6075830cd81330e259cf9',
  ],
  [
    'org/slf4j/slf4j-api/2.0.13/slf4j-api-2.0.13.jar',
    'e7c2a48e8515ba1f49fa637d57b4e2f590b3f5bd97407ac699c3aa5efb1204a9',
  ],
  [
    'org/xerial/snappy/snappy-java/1.1.10.7/snappy-java-1.1.10.7.jar',
    '4c766cb3f855415ee734b2392949a0b6f12a60879334a74518deaf6270d32e36',
  ],
]
const cache = fileURLToPath(new URL('../../../node_modules/.cache/splitstream/zookeeper-3.9.5/', import.meta.url))
const readyMs = 20_000

export interface ZooKeeper {
  readonly port: number
  /** Ends it with SIGKILL; the data stay. */
  stop(): Promise<void>
}

/** Undefined when it can be started; else what is missing. */
export async function zookeeperMissing(): Promise<string | undefined> {
  const java = await findJava()
  if ('missing' in java) return java.missing
  const [first] = await missingJars()
  return first && (await artifactMissing({ path: first[0] }))
}

/** One server on loopback. `began` is told of its process at once. @throws Error when it does not answer in time */
export async function startZooKeeper(
  folder: string,
  port: number,
  began: (pid: number) => void = () => undefined,
): Promise<ZooKeeper> {
  for (const [path, sha256] of await missingJars()) await download(path, sha256)
  const java = await findJava()
  if ('missing' in java) throw new Error(java.missing)
  await mkdir(folder, { recursive: true })
  const config = join(folder, 'zoo.cfg')
  const lines = [`dataDir=${folder}`, `clientPort=${port}`, 'clientPortAddress=127.0.0.1', 'admin.enableServer=false']
  // Short sessions: a replica that is killed counts as gone after 4 s.
  await writeFile(
    config,
    [...lines, 'tickTime=500', 'maxSessionTimeout=4000', '4lw.commands.whitelist=srvr', 'maxClientCnxns=0', ''].join(
      '\n',
    ),
  )
  const classPath = jars.map(([path]) => fileOf(path))
  const run = javaArguments({ jars: classPath, heapMb: 128, folder })
  const child = spawn(java.path, [...run, 'org.apache.zookeeper.server.ZooKeeperServerMain', config], {
    env: javaEnvironment,
    stdio: 'ignore',
  })
  if (child.pid !== undefined) began(child.pid)
  await listening(child, port)
  return {
    port,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  for (const until = performance.now() + readyMs; ; await sleep(50)) {
    if ((await ask(port))?.startsWith('Zookeeper version')) return
    if (child.exitCode !== null) throw new Error(`ZooKeeper ended with code ${child.exitCode}`)
    if (performance.now() > until) {
      child.kill('SIGKILL')
      throw new Error('ZooKeeper was not ready in time')
    }
  }
}

/** Its four-letter word srvr; undefined while it does not listen. */
async function ask(port: number): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(1_000, () => socket.destroy(new Error('no answer')))
  try {
    await once(socket, 'connect')
    socket.end('srvr')
    return Buffer.concat(await socket.toArray()).toString()
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}

async function missingJars() {
  const whole = await Promise.all(
    jars.map(async ([path, sha256]) => {
      const bytes = await readFile(fileOf(path)).catch(() => undefined)
      return bytes !== undefined && digest(bytes) === sha256
    }),
  )
  return jars.filter((_, i) => !whole[i])
}

async function download(path: string, sha256: string): Promise<void> {
  const bytes = await fetchArtifact({ path }, (found) => {
    if (digest(found) !== sha256) throw new Error('its SHA-256 is another one')
    return found
  })
  await mkdir(cache, { recursive: true })
  const part = `${fileOf(path)}.${process.pid}.part`
  await writeFile(part, bytes)
  await rename(part, fileOf(path))
}

const fileOf = (path: string): string => join(cache, path.slice(path.lastIndexOf('/') + 1))
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
