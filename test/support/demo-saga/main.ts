import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { orderSaga, type StubParticipants, startStubParticipants } from '@splitstream/sagas/kit/demo'
import { ask, type Connection } from '../../../src/cli/api.ts'
import { historyOf } from '../../../src/cli/sagas/look.ts'
import { timeline } from '../../../src/cli/sagas/timeline.ts'
import { startServer } from '../server.ts'
import { checkLedger, ledgerText } from './ledger.ts'
import { misbehaves, type Order, orders } from './orders.ts'

const help = `Orders as sagas: payment → reserve stock → ship, over HTTP, with three services that fail as services do. Starts a
server with embedded engines and them, publishes the definition, runs some orders, shows what happened and what the services'
ledger says, and stops.

  npm run demo:saga [-- --data-dir DIR]

--data-dir keeps the data of the server there; otherwise they are temporary.
Exit code: 0 the ledger agrees with what the sagas say, 1 it does not, or something did not start.`

interface Started {
  readonly id: string
  readonly status: string
}

interface Ran {
  readonly order: Order
  readonly saga: Started
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'data-dir': { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  return await withServer(values['data-dir'], async (connection) => {
    const { secret } = await ask<{ secret: string }>(connection, 'GET', '/v1/saga-signing-secret')
    const stubs = await startStubParticipants({ secret, misbehaves: misbehaves(), onError: () => undefined })
    console.log(`Payments, stock and shipping listen at ${stubs.url}, and check who calls\n`)
    try {
      return await demo(connection, stubs)
    } finally {
      await stubs.close()
    }
  })
}

async function withServer(
  dataDir: string | undefined,
  use: (connection: Connection) => Promise<number>,
): Promise<number> {
  const from = performance.now()
  const env = { SAGA_ALLOW_PRIVATE: '127.0.0.1', LOG_LEVEL: 'warn' }
  const server = await startServer(dataDir === undefined ? { env } : { env, dataDir })
  console.log(`Splitstream is ready at ${server.url} after ${((performance.now() - from) / 1e3).toFixed(1)} s`)
  try {
    return await use({ url: server.url, key: server.adminKey })
  } finally {
    await server.stop()
  }
}

async function demo(connection: Connection, stubs: StubParticipants): Promise<number> {
  const definition = orderSaga(stubs)
  await ask(connection, 'PUT', '/v1/saga-definitions/order', definition)
  console.log(`Published the saga "order": ${definition.steps.map(({ id }) => id).join(' → ')}\n`)
  const run: Ran[] = []
  for (const order of orders) run.push({ order, saga: await runOrder(connection, order) })
  console.log(ledgerText(stubs.ledger()))
  const wrong = checkLedger(stubs.ledger(), run)
  for (const line of wrong) console.log(`WRONG: ${line}`)
  if (wrong.length === 0) console.log('Every order was charged, reserved and shipped once, or not at all.')
  return wrong.length === 0 ? 0 : 1
}

async function runOrder(connection: Connection, { story, ...input }: Order): Promise<Started> {
  const key = { 'idempotency-key': randomUUID() }
  const saga = await ask<Started>(connection, 'POST', '/v1/sagas/order?wait=20', input, key)
  console.log(`${input.orderId}: ${story}\n${indent(timeline(await historyOf(connection, saga.id)))}\n`)
  return saga
}

const indent = (text: string): string => text.replaceAll(/^/gm, '  ')

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
