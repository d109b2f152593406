import { parseArgs } from 'node:util'
import { startKafka } from './start.ts'

const help = `Three real Kafka brokers on loopback, until Ctrl-C. Their data are temporary.

  npm run kafka [-- --heap 320]      heap of each broker in MiB

Prints KAFKA_BROKERS=host:port,… when they are ready. They run in Docker when an engine answers, else from Kafka's
jars (downloaded once, 39 MB) with the local Java, 17 or newer. MAVEN_REPOSITORY names another source of the jars.

Exit code: 0 stopped, 1 a broker did not start, 2 wrong use.`

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { heap: { type: 'string', default: '320' }, help: { type: 'boolean' } } })
  if (values.help) {
    console.log(help)
    return 0
  }
  const heapMb = Number(values.heap)
  if (!Number.isInteger(heapMb) || heapMb < 192 || heapMb > 16_384) {
    console.error('--heap: a whole number of MiB, 192 to 16384')
    return 2
  }
  if (process.env.KAFKA_BROKERS) {
    console.error('KAFKA_BROKERS is set: that cluster is used, and there is nothing to start')
    return 2
  }
  const asked = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve())
  })
  const from = performance.now()
  console.error('starting three brokers; Ctrl-C stops them')
  const starting = startKafka({ heapMb })
  // Asked to stop before they are ready: they end with this process.
  const cluster = await Promise.race([starting, asked])
  if (!cluster) return 0
  console.error(`ready in ${((performance.now() - from) / 1000).toFixed(1)} s (${cluster.kind})`)
  console.log(`KAFKA_BROKERS=${cluster.brokers.join(',')}`)
  await asked
  await cluster.stop()
  return 0
}

try {
  process.exit(await main())
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(error instanceof TypeError ? 2 : 1)
}
