import { readFile } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import type { Config } from '../../config.ts'
import { enginesOf } from '../../topology.ts'
import { type Check, fail, ok, warn } from './check.ts'
import { bytes } from './units.ts'

const nodeMajor = 24

/** What the process will run on, whatever the settings say, and whether it is enough for them. */
export function machineChecks(config: Config): Check[] {
  return [
    { name: 'node', run: async () => checkNode(process.versions.node) },
    { name: 'platform', run: async () => checkPlatform(config) },
    { name: 'memory', run: async () => checkMemory(config, memoryOf()) },
    { name: 'open files', run: async () => checkOpenFiles(await openFiles()) },
  ]
}

export const checkNode = (version: string) =>
  Number(version.split('.')[0]) >= nodeMajor
    ? ok(version)
    : fail(version, `Node ${nodeMajor} is needed: npm ci brings it (node_modules/.bin/node), npm start runs on it`)

function checkPlatform({ CLICKHOUSE_URL, POSTGRES_URL }: Config) {
  const { platform, arch } = process
  const { glibcVersionRuntime: glibc } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } })
    .header
  const libc = platform === 'linux' ? `, ${glibc === undefined ? 'musl' : `glibc ${glibc}`}` : ''
  const found = `${platform} ${arch}${libc}, ${availableParallelism()} cores`
  if (CLICKHOUSE_URL !== undefined && POSTGRES_URL !== undefined) return ok(found)
  if ((platform === 'linux' && glibc !== undefined) || platform === 'darwin') return ok(found)
  return fail(found, 'the embedded engines need Linux with glibc, or macOS: set CLICKHOUSE_URL and POSTGRES_URL')
}

/** What there is for this process and its children: of the machine, or of its cgroup if that is less. */
const memoryOf = (): number => Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)

const mib = 1 << 20
/** Of the main process without requests in flight, and of the embedded Postgres, about; measured under load. */
const [processBytes, postgresBytes] = [300 * mib, 150 * mib]
/** With the filters, which are there when events come without a time or ahead of it. */
const bytesOfKey = 44

export function checkMemory(config: Config, there: number) {
  const stores = enginesOf(config.MODULES).has('clickhouse')
  const clickhouse = config.CLICKHOUSE_URL === undefined && stores ? config.CLICKHOUSE_MAX_MEMORY_BYTES : 0
  const postgres = config.POSTGRES_URL === undefined ? postgresBytes : 0
  // Two generations of the index.
  const keys = stores ? 2 * bytesOfKey * config.SEEN_KEYS : 0
  const needed = processBytes + config.MAX_IN_FLIGHT_BYTES + clickhouse + postgres + keys
  const found = `${bytes(there)} for this process; with these settings it takes ${bytes(needed)} at most`
  if (needed <= there) return ok(found)
  const advice =
    clickhouse > 0
      ? `the kernel may kill it under load: lower CLICKHOUSE_MAX_MEMORY_BYTES, then MAX_IN_FLIGHT_BYTES or SEEN_KEYS`
      : 'the kernel may kill it under load: lower MAX_IN_FLIGHT_BYTES or SEEN_KEYS'
  return warn(found, advice)
}

/** The hard limit: Node raises its own to that. Undefined when the system does not say. */
async function openFiles(): Promise<number | undefined> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1]
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : hard === undefined ? undefined : Number(hard)
}

export function checkOpenFiles(limit: number | undefined) {
  if (limit === undefined) return ok('the system does not say')
  const advice = 'raise it: LimitNOFILE=65536 under systemd, --ulimit nofile=65536 in a container, ulimit -n in a shell'
  if (limit < 1_024) return fail(`${limit}`, `connections and parts of tables are files: ${advice}`)
  if (limit < 12_000) return warn(`${limit}`, `10,000 connections and the engines need more: ${advice}`)
  return ok(String(limit))
}
