import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { PostgresTx } from '@splitstream/kernel'
import type { ConformanceOptions } from '../conformance/index.ts'
import type { Sql } from './barrier.ts'
import { type Handler, participant } from './participant.ts'
import type { Kit } from './planted.fixture.ts'

export const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`

/** Naive effects, which only a barrier makes safe. They take their time, so that copies meet. */
const effect =
  (n: 1 | -1): Handler<PostgresTx> =>
  async (tx, { saga, key, body }) => {
    await tx.query('INSERT INTO effects VALUES ($1, $2, $3)', [saga, key, n])
    await tx.query('SELECT pg_sleep(0.01)')
    if ((body as { refuse?: boolean } | undefined)?.refuse) return { status: 402, body: { code: 'DECLINED' } }
    return { status: 200, body: { key, at: performance.now() } }
  }

/** A participant over node:http that counts its effects, and how to test it. */
export async function startCounting(
  sql: Sql<PostgresTx>,
  kit: Pick<Kit, 'participant'> = { participant },
): Promise<{ options: ConformanceOptions; close(): void }> {
  const { handle } = kit.participant({ sql, secret, faults: true, onError: () => undefined })
  const server = createServer(handle({ do: effect(1), undo: effect(-1) })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    options: {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      do: { path: '/count', body: { id: '{{saga}}' } },
      undo: { path: '/count' },
      refused: { path: '/count', body: { refuse: true } },
      secret,
      observe: () =>
        sql.tx(async (tx) => {
          const [row] = await tx.query<{ n: number }>('SELECT coalesce(sum(n), 0)::int AS n FROM effects')
          return row!.n
        }),
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
