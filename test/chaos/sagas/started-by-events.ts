import { setTimeout as delay } from 'node:timers/promises'
import { Client, NoAnswer } from '../client.ts'
import { signal } from '../processes.ts'
import { Random } from '../random.ts'
import { type Installation, until } from './installation.ts'
import { Looks } from './looks.ts'
import { makeOrders, type Wanted } from './orders.ts'
import type { Part } from './place.ts'
import { SagaRows } from './saga-rows.ts'
import { verifyRun } from './verify.ts'

const events = 120
const kills = 3

/**
 * Each event starts exactly one saga: many are sent twice, and workers are killed while they take them from Kafka. What a worker
 * had taken and not noted is given out again.
 */
export const runStartedByEvents: Part = async ({ installation }, seed, findings) => {
  const random = new Random(seed)
  const prefix = 'event-'
  const wanted = makeOrders(random.fork(), prefix, events).map((one) => ({ ...one, kind: 'triggered' as const }))
  await installation.ledger.behave(seed, { guard: 'keys' })
  await using looks = new Looks(installation.ledger, findings)
  const rows = await SagaRows.since(installation)
  await Promise.all([sendAll(installation, wanted, random.fork()), killSome(installation, random.fork())])
  const began = performance.now()
  const started = await until(async () => (await rows.all()).length >= events, 90_000)
  const startedMs = Math.round(performance.now() - began)
  if (!started) findings.add('events without a saga', `${(await rows.all()).length} of ${events} started`)
  // Who was told is nobody: the order in its input says whose saga it is. A second one for an order is nobody's.
  const told = new Map(
    (await rows.all()).map(({ known, journal }) => [`key-${/"order":"([^"]*)"/.exec(journal)?.[1]}`, known]),
  )
  const expectation = { wanted, told, cancelled: new Set<string>(), rows, prefix }
  const ended = await verifyRun(installation, expectation, 30_000, findings)
  return { events, startedMs, ended, looks: looks.count }
}

/** Until it is accepted; every third event once more. */
async function sendAll(installation: Installation, wanted: readonly Wanted[], random: Random): Promise<void> {
  const client = new Client(installation.fleet.urlFor('ingest'), installation.adminKey)
  const left = wanted.flatMap((one) => (random.chance(0.33) ? [one, one] : [one]))
  for (; left.length > 0; await delay(random.int(5, 60))) {
    const some = left.splice(0, random.int(1, 8))
    const lines = some.map(({ order }) =>
      JSON.stringify({ specversion: '1.0', id: order.order, source: '/chaos', type: 'order.placed', data: order }),
    )
    const headers = { 'content-type': 'application/x-ndjson' }
    const answer = await client
      .send('POST', '/v1/events', { body: Buffer.from(lines.join('\n')), headers })
      .catch((error: unknown) => {
        if (error instanceof NoAnswer) return undefined
        throw error
      })
    if (answer?.status !== 202) left.push(...some)
  }
  client.close()
}

async function killSome(installation: Installation, random: Random): Promise<void> {
  for (let n = 0; n < kills; n++) {
    await delay(random.int(100, 900))
    const victim = random.pick(installation.alive)
    signal(victim.process.pid!, 'SIGKILL')
    await victim.process.kill()
    installation.restart(victim)
    await installation.atLeast(2)
  }
}
