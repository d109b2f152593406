import { setTimeout as delay } from 'node:timers/promises'
import { Engine } from '../scenario/engine.ts'
import { orderSaga, type Shop } from './shop.ts'

export interface Place {
  readonly urls: Readonly<Record<'ingest' | 'query' | 'storage' | 'sagas', string>>
  readonly key: string
  readonly engineUrl: string
  readonly shop: Shop
}

/** What a client traces, by the digit of its trace id: nothing else is in these traces. */
export const chapters = {
  '1': 'a batch in both partitions, stored',
  '2': 'a retry of it',
  '3': 'a list of events, after a position',
  '4': 'an aggregation',
  '5': 'a request that is refused',
  '6': 'an event that cannot be stored, between others',
  '7': 'its replay',
  '8': 'a saga whose second step is tried twice',
  '9': 'a saga that is undone',
  a: 'an event that starts a saga',
} as const

export type Chapter = keyof typeof chapters

export const traceIdOf = (chapter: string): string => chapter.repeat(32)

const source = '/traces'
const time = '2026-03-01T12:00:00Z'
const event = (id: string, more: object = {}): string =>
  JSON.stringify({ specversion: '1.0', id, source, type: 't', time, subject: id, ...more })

/** The same requests wherever the modules run, one after another. @throws Error for an answer that is not expected */
export async function tellTraces({ urls, key, engineUrl, shop }: Place): Promise<void> {
  const ask = async (url: string, chapter: Chapter | undefined, method: string, path: string, o: Asked) => {
    const { body, type = 'application/json', status = 200, headers } = o
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': type }),
        ...(chapter && { traceparent: `00-${traceIdOf(chapter)}-${'f'.repeat(16)}-01` }),
        ...headers,
      },
      ...(body !== undefined && { body }),
    })
    const text = await response.text()
    if (response.status !== status) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text || 'null') as Record<string, unknown>
  }
  const lines = { type: 'application/x-ndjson' }

  const batch = Array.from({ length: 8 }, (_, i) => event(`e${i}`)).join('\n')
  const { position } = await ask(urls.ingest, '1', 'POST', '/v1/events?wait=stored', { ...lines, body: batch })
  await ask(urls.ingest, '2', 'POST', '/v1/events?wait=stored', { ...lines, body: batch })
  await ask(urls.query, '3', 'GET', `/v1/events?source=${source}&after=${position}`, {})
  const query = { measures: [{ fn: 'count', as: 'n' }], range: { from: time, to: '2026-04-01T00:00:00Z' }, limit: 1 }
  await ask(urls.query, '4', 'POST', '/v1/query', { body: JSON.stringify(query) })
  await ask(urls.query, '5', 'POST', '/v1/query', { body: '{', status: 400 })

  const engine = new Engine(engineUrl)
  await engine.run(`ALTER TABLE events ADD CONSTRAINT no_poison CHECK type != 'poison'`)
  const poisoned = ['before', 'poison', 'behind'].map((id) => event(id, { type: id, subject: 'one' })).join('\n')
  await ask(urls.ingest, '6', 'POST', '/v1/events?wait=stored', { ...lines, body: poisoned })
  const { deadLetters } = await ask(urls.storage, undefined, 'GET', '/v1/dead-letters', {})
  const ids = (deadLetters as { id: string }[]).map(({ id }) => id)
  await engine.run('ALTER TABLE events DROP CONSTRAINT no_poison')
  const replay = { body: JSON.stringify({ ids, dryRun: false }) }
  const { receipt } = await ask(urls.storage, '7', 'POST', '/v1/dead-letters/replay', replay)
  await ask(urls.query, undefined, 'GET', `/v1/events?after=${(receipt as { position: string }).position}`, {})

  const saga = { body: JSON.stringify(orderSaga(shop.url)), status: 201 }
  await ask(urls.sagas, undefined, 'PUT', '/v1/saga-definitions/order', saga)
  const start = (chapter: Chapter, country: string) =>
    ask(urls.sagas, chapter, 'POST', '/v1/sagas/order?wait=20', {
      body: JSON.stringify({ order: `o-${chapter}`, country }),
      headers: { 'idempotency-key': `k-${chapter}` },
    })
  await start('8', 'BE')
  await start('9', 'AQ')
  const placed = event('placed', { type: 'order.placed', data: { order: 'o-a', country: 'BE' } })
  await ask(urls.ingest, 'a', 'POST', '/v1/events?wait=stored', { ...lines, body: placed })
  for (let i = 0; ; i++) {
    const { sagas } = await ask(urls.sagas, undefined, 'GET', '/v1/sagas?status=completed', {})
    if ((sagas as unknown[]).length === 2) return
    if (i === 200) throw new Error('the event starts no saga that completes')
    await delay(100)
  }
}

interface Asked {
  readonly body?: string
  readonly type?: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}
