import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { classArchive } from './class-archive.ts'
import type { KafkaCluster } from './cluster.ts'
import { guardFolder } from './guardian.ts'
import { ensureJars } from './jars.ts'
import { findJava, javaArguments, javaEnvironment } from './java.ts'

export interface PerfTest {
  /** There already. */
  readonly topic: string
  readonly records: number
  /** Made-up records of a size, or those of a file between `payloadSeparator`s, at random. */
  readonly payload: { readonly bytes: number } | { readonly file: string }
  /** Producer settings on top of acks=all, such as compression.type. */
  readonly producer?: Readonly<Record<string, string>>
  /** Default 120,000 ms. */
  readonly timeoutMs?: number
}

export const payloadSeparator = '\u0001'

const run = promisify(execFile)

/**
 * Kafka's own producer benchmark against the cluster: records per second from the first send to the last
 * acknowledgement, without the start of its JVM. Needs Java also when the brokers are elsewhere. @throws Error
 */
export async function perfTest(cluster: Pick<KafkaCluster, 'brokers'>, test: PerfTest): Promise<number> {
  const java = await findJava()
  if ('missing' in java) throw new Error(`Kafka's producer benchmark cannot run: ${java.missing}`)
  const jars = await ensureJars()
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-kafka-perf-'))
  const guardian = guardFolder(folder)
  const settings = { 'bootstrap.servers': cluster.brokers.join(','), acks: 'all', ...test.producer }
  const args = [
    ...javaArguments({ jars, heapMb: 256, folder, options: (await classArchive(java, jars, folder)).use }),
    ...['org.apache.kafka.tools.ProducerPerformance', '--topic', test.topic, '--throughput', '-1'],
    ...['--num-records', String(test.records), ...payloadOf(test)],
    ...['--producer-props', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)],
  ]
  try {
    const timeout = test.timeoutMs ?? 120_000
    const running = run(java.path, args, { cwd: folder, env: javaEnvironment, timeout, killSignal: 'SIGKILL' })
    if (running.child.pid !== undefined) guardian.began(running.child.pid)
    const { stdout, stderr } = await running
    const total = /^(\d+) records sent, ([\d.]+) records\/sec .*99\.9th\.$/m.exec(stdout)
    // Records that failed are told on stderr and do not count; the exit code is 0 all the same.
    if (Number(total?.[1]) !== test.records) throw new Error(`Kafka's producer benchmark failed: ${stdout}${stderr}`)
    return Number(total?.[2])
  } finally {
    await rm(folder, { recursive: true, force: true })
    guardian.dismiss()
  }
}

const payloadOf = ({ payload }: PerfTest): string[] =>
  'file' in payload
    ? ['--payload-file', payload.file, '--payload-delimiter', payloadSeparator]
    : ['--record-size', String(payload.bytes)]
