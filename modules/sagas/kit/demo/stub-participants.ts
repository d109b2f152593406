import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { barrierTable, participant } from '../participant/index.ts'
import { balanceOf, entriesOf, type LedgerEntry, openLedger, type Service, services } from './ledger.ts'
import { type Misbehaviour, misbehaving, type StubCall } from './misbehave.ts'
import { stepsOf } from './services.ts'
import { sqliteSql } from './sqlite.ts'

export interface StubOptions {
  /** Address to listen on; 127.0.0.1 when not given. */
  readonly host?: string
  /** Any free port when not given. */
  readonly port?: number
  /** SQLite file that keeps effects and marks; in memory when not given. */
  readonly file?: string
  /** `whsec_…`; signatures are checked when it is given. */
  readonly secret?: string
  /** Lets calls ask for a fault (Splitstream-Fault), for the conformance test. */
  readonly faults?: boolean
  /** Says no to a forward call, for good. */
  readonly refuses?: (call: Omit<StubCall, 'operation'>) => boolean
  readonly misbehaves?: (call: StubCall) => Misbehaviour | undefined
  /** Told what threw; console.error when not given. */
  readonly onError?: (error: unknown) => void
}

export interface StubParticipants {
  /** Base of the three services: /payments, /stock and /shipping. */
  readonly url: string
  /** All effects, in order. What was rolled back never was one. */
  ledger(): LedgerEntry[]
  close(): Promise<void>
}

/**
 * Payments, stock and shipping as HTTP services behind the barrier, in this process: what the saga in order.json calls.
 * GET /<service>/balance and GET /ledger show what they did.
 */
export async function startStubParticipants(options: StubOptions = {}): Promise<StubParticipants> {
  const {
    host = '127.0.0.1',
    port = 0,
    file = ':memory:',
    refuses = () => false,
    misbehaves = () => undefined,
  } = options
  const db = openLedger(file)
  db.exec(barrierTable('sqlite'))
  const { secret, faults, onError } = options
  const kit = participant({ sql: sqliteSql(db), secret, faults, onError })
  const app = express()
  app.disable('x-powered-by')
  app.get('/ledger', (_, response) => void response.json(entriesOf(db)))
  app.get('/:service/balance', (request, response) => {
    const service = request.params.service as Service
    if (services.includes(service)) response.json({ balance: balanceOf(db, service) })
    else response.sendStatus(404)
  })
  // Stubs look into the body before the participant does, so its bytes are kept for the signature.
  app.use(express.json({ verify: (request, _, bytes) => void Object.assign(request, { rawBody: bytes }) }))
  for (const step of stepsOf((service, { saga, body }) => refuses({ service, saga, body }))) {
    const paths = [step.do.path, ...(step.undo ? [step.undo.path] : [])]
    const handler = kit.handle({ do: step.do.run, ...(step.undo && { undo: step.undo.run }) })
    app.post(paths, misbehaving(step.service, misbehaves), handler)
  }
  const server = app.listen(port, host)
  await once(server, 'listening')
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    ledger: () => entriesOf(db),
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
      db.close()
    },
  }
}
