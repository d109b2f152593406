import type { IngestAppend } from '@splitstream/ingest/contract'
import { AppError, type Clock, systemClock } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import type { OutboxRow } from '../adapters/outbox.ts'
import { appendOutbox, type Ended } from './append-outbox.ts'

/** Events of so many traces, one each. */
const rows = (count: number, tenant = 'acme'): OutboxRow[] =>
  Array.from({ length: count }, (_, n) => {
    const traceparent = `00-${String(n + 1).padStart(32, '0')}-0000000000000001-01`
    return { id: `${tenant} ${n}`, tenant, event: `{"id":"${tenant} ${n}"}`, traceparent }
  })

let sent: string[] = []
/** An ingest that says what it was sent, and when it is done. */
const ingest = (work: (id: string, signal: AbortSignal) => Promise<unknown>): IngestAppend => {
  sent = []
  return {
    append: async ({ body }, { signal }) => {
      const [{ id }] = JSON.parse(Buffer.from(body).toString()) as [{ id: string }]
      sent.push(id)
      await work(id, signal)
      return { accepted: 1, rejected: 0, errors: [] } as unknown as Awaited<ReturnType<IngestAppend['append']>>
    },
  }
}
const { signal } = new AbortController()
const idsOf = (some: readonly Ended[]) =>
  some.flatMap((one) => ('error' in one ? [one.error] : one.rows.map(({ id }) => id)))

it('says of each append that it has ended while others are under way', async () => {
  const gate = Promise.withResolvers<void>()
  const appends = appendOutbox([...rows(2), ...rows(1, 'other')], {
    ...{ clock: systemClock, signal },
    ingest: ingest(async (id) => id === 'acme 1' && (await gate.promise)),
  })
  const seen: unknown[] = []
  while (seen.length < 2) seen.push(...idsOf((await appends.next()).value ?? []))
  expect(seen.toSorted()).toEqual(['acme 0', 'other 0'])
  // A second later nothing has ended.
  expect((await appends.next()).value).toEqual([])
  gate.resolve()
  expect(idsOf((await appends.next()).value ?? [])).toEqual(['acme 1'])
  expect((await appends.next()).done).toBe(true)
})

it('cuts what is under way, and begins nothing, once nobody reads on', async () => {
  const cut: string[] = []
  const waiting = async (id: string, signal: AbortSignal) => {
    if (!id.endsWith('1')) return
    await systemClock.sleep(60_000, signal).catch(() => cut.push(id))
    signal.throwIfAborted()
  }
  const appends = appendOutbox(rows(9), { clock: systemClock, signal, ingest: ingest(waiting) })
  for await (const some of appends) if (some.length === 0) break
  expect([sent, cut]).toEqual([['acme 0', 'acme 1'], ['acme 1']])
})

it('begins none late in a round', async () => {
  let now = 0
  const clock: Clock = { ...systemClock, monotonic: () => now }
  const slow = async () => {
    now += 900
  }
  const appends = appendOutbox(rows(9), { clock, signal, ingest: ingest(slow) })
  const seen: unknown[] = []
  for await (const some of appends) seen.push(...idsOf(some))
  expect(seen).toEqual(['acme 0', 'acme 1', 'acme 2'])
})

it('leaves those of a tenant for later after one that failed', async () => {
  const error = new AppError('UNAVAILABLE', 'away')
  const failing = async (id: string) => {
    if (id === 'acme 1') throw error
  }
  const both = [...rows(3), ...rows(3, 'other')]
  const seen: unknown[] = []
  for await (const some of appendOutbox(both, { clock: systemClock, signal, ingest: ingest(failing) })) {
    seen.push(...idsOf(some))
  }
  expect(new Set(seen)).toEqual(new Set(['acme 0', error, 'other 0', 'other 1', 'other 2']))
  expect(sent).not.toContain('acme 2')
})
