import { parseArgs } from 'node:util'
import { table } from '../../../src/cli/table.ts'
import { moduleNames } from '../../../src/registry.ts'
import { type Fleet, startFleet } from '../fleet.ts'
import { brokersHere, type Log } from './brokers.ts'
import { commands, rowsOf } from './show.ts'

const help = `The modules as processes of their own, on this machine and without containers, until Ctrl-C. Data are temporary.

  npm run split [-- --http]

With Kafka (KAFKA_BROKERS, else three brokers from Docker or from Kafka's jars with Java 17 or newer; the jars are
downloaded once, 39 MB) there are four processes: ingest, storage, query and sagas, with the event log on Kafka. Without,
there are two, with the log in the first: ingest, storage and sagas, and query over HTTP. Prints which, their addresses,
and commands to try. --http takes the two also where there is Kafka.

Exit code: 0 stopped, 1 something did not start, 2 wrong use.`

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { http: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    console.log(help)
    return 0
  }
  const from = performance.now()
  const asked = stopSignal()
  // Asked to stop before all are ready: what was started ends with this process.
  const log = await Promise.race([brokersHere(values.http === true), asked])
  if (!log) return 0
  console.error(log.why)
  const fleet = await Promise.race([start(log), asked])
  if (!fleet) return 0
  console.error(`ready in ${((performance.now() - from) / 1000).toFixed(1)} s\n`)
  console.log(
    `${table(['process', 'modules', 'url', 'links'], rowsOf(fleet))}\n\n${commands(fleet)}\n\nCtrl-C stops it.`,
  )
  await asked
  console.error('\nstopping')
  await fleet.stop()
  await log.stop()
  return 0
}

function start({ brokers }: Log): Promise<Fleet> {
  if (!brokers) {
    const processes = [
      { name: 'front', modules: moduleNames.filter((name) => name !== 'query') },
      { name: 'query', modules: ['query'] as const },
    ]
    return startFleet({ processes, events: 'local' })
  }
  const processes = moduleNames.map((name) => ({ name, modules: [name] }))
  return startFleet({ processes, events: { brokers } })
}

/** Resolves at the first signal. One that comes more than a second later means now. */
function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let first = Number.POSITIVE_INFINITY
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        // npm hands on what the terminal has sent here already.
        if (performance.now() - first > 1_000) process.exit(1)
        first = Math.min(first, performance.now())
        resolve(undefined)
      })
    }
  })
}

try {
  process.exit(await main())
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(error instanceof TypeError ? 2 : 1)
}
