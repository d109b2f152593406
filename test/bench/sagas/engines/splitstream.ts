import { startServer } from '../../../support/server.ts'
import { started } from '../../cleanup.ts'
import type { Engine } from './engine.ts'
import { startBenchPostgres } from './postgres.ts'

/** The order saga as a user publishes it. */
export const orderDefinition = (participant: string) => {
  const call = (path: string) => ({ participant: 'shop', path, body: input })
  return {
    participants: { shop: { url: participant } },
    steps: [
      { id: 'charge', call: call('/charge'), compensate: call('/refund') },
      { id: 'reserve', call: call('/reserve'), compensate: call('/release') },
      { id: 'ship', call: call('/ship') },
    ],
  }
}
const input = '${input}'

/** One process with all features, on the same Postgres as DBOS. */
export const splitstream: Engine = {
  label: 'Splitstream',
  start: async (participant) => {
    const postgres = await startBenchPostgres()
    const env = { POSTGRES_URL: postgres.url, LOG_LEVEL: 'warn', SAGA_ALLOW_PRIVATE: '127.0.0.1' }
    const { thing: server, stop } = await started(startServer({ env }), (running) => running.stop())
    const headers = { authorization: `Bearer ${server.adminKey}` }
    const answer = await fetch(`${server.url}/v1/saga-definitions/order`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(orderDefinition(participant)),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`Splitstream does not take the definition: ${answer.status} ${text}`)
    return {
      target: { url: server.url, path: '/v1/sagas/order?wait=10', headers },
      pids: [server.pid],
      postgres,
      stop: async () => {
        await stop()
        await postgres.stop()
      },
    }
  },
}
