import { isSampled, type Span, type SpanOptions, type Tracer } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { foldEntries } from '../domain/state.ts'
import type { Turn } from '../domain/turn.ts'
import type { Instance } from './instance.ts'
import { attemptSpan, endAttempt, turnSpan } from './saga-spans.ts'
import { startDatabase, startParticipant, startWorker } from './worker.fixture.ts'

interface Told extends SpanOptions {
  readonly name: string
  readonly parent: string
  readonly set: Record<string, unknown>
  failed: unknown
}

/** Spans in the order of their ends; what never ends is never told. */
function recorder(): Tracer & { readonly told: Told[] } {
  const told: Told[] = []
  let spans = 0
  const span = (name: string, parent: string | undefined, options?: SpanOptions): Span | undefined => {
    if (!isSampled(parent)) return undefined
    const id = String(++spans).padStart(16, '0')
    const one: Told = { ...options, name, parent, set: {}, failed: undefined }
    const made: Span = {
      traceparent: `${parent.slice(0, 36)}${id}-01`,
      set: (key, value) => {
        one.set[key] = value
        return made
      },
      end: (failure) => {
        one.failed = failure
        told.push(one)
      },
    }
    return made
  }
  return { told, root: span, span }
}

const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

describe('spans of a saga', () => {
  let database: Awaited<ReturnType<typeof startDatabase>>
  let shop: Awaited<ReturnType<typeof startParticipant>>
  const workers: Awaited<ReturnType<typeof startWorker>>[] = []
  beforeAll(async () => {
    database = await startDatabase()
    shop = await startParticipant()
  })
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop().catch(() => undefined)))
    shop.reset()
  })
  afterAll(async () => {
    shop.stop()
    await database.stop()
  })

  async function start(tracer: Tracer, name: string) {
    const worker = await startWorker(database.url, { name, tracer })
    workers.push(worker)
    return worker
  }
  const definition = () => ({
    participants: { shop: { url: shop.url } },
    steps: ['first', 'second'].map((id) => ({ id, call: { participant: 'shop', path: `/${id}` } })),
  })
  const attempts = ({ told }: { readonly told: readonly Told[] }): string[] =>
    told.flatMap(({ kind, attributes: about, failed }) =>
      kind === 'client' ? [`${about?.['splitstream.saga.step']} ${about?.['splitstream.saga.attempt']} ${failed}`] : [],
    )

  it('that another worker takes over are told once, by whoever did what they are about', async () => {
    const [before, after] = [recorder(), recorder()]
    const one = await start(before, 'one')
    await one.publish('order', definition())
    shop.answer('/second', () => ({ hang: true }))
    const { id } = await one.start('order', {}, undefined, { trace })
    while (shop.received.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
    await one.kill()
    shop.answer('/second', () => ({}))
    const two = await start(after, 'two')
    await two.until(id, 'completed')
    // The call that hung was cut off with its process.
    expect(attempts(before)).toEqual(['first 1 undefined', 'second 1 unknown'])
    expect(attempts(after)).toEqual(['second 2 undefined'])
    for (const { parent } of [...before.told, ...after.told]) expect(parent).toBe(trace)
    // The end of the call that was cut off is a turn as well, and its commit says that it was refused.
    const turns = (tracer: { readonly told: readonly Told[] }): unknown[] =>
      tracer.told
        .filter(({ kind, set }) => kind === 'internal' && set['splitstream.saga.commit'] === undefined)
        .map(({ name, failed }) => [name, failed])
    // The start with the first call, its answer with the second; then taken over, and its answer with the end.
    expect(turns(before)).toEqual([
      ['turn order', undefined],
      ['turn order', undefined],
    ])
    expect(turns(after).length).toBeGreaterThanOrEqual(2)
  }, 60_000)

  it('are what its emitted events belong to: the turn that emits each', async () => {
    const tracer = recorder()
    const worker = await start(tracer, 'four')
    const emits = ['one', 'two'].map((id) => ({ id, emit: { type: id } }))
    const call = { id: 'first', call: { participant: 'shop', path: '/first' } }
    await worker.publish('telling', { ...definition(), steps: [emits[0], call, emits[1]] })
    for (const from of [{ trace }, undefined]) {
      const { id } = await worker.start('telling', {}, undefined, from)
      await worker.until(id, 'completed')
    }
    const rows = await database.postgres.query<{ traceparent: string | null }>('SELECT * FROM outbox ORDER BY id')
    const spans = rows.map(({ traceparent }) => traceparent)
    expect(spans).toEqual([expect.stringContaining(trace.slice(0, 36)), expect.any(String), null, null])
    expect(new Set(spans).size).toBe(3)
    expect(spans).not.toContain(trace)
  })

  it('that was not started by a traced request are none', async () => {
    const tracer = recorder()
    const worker = await start(tracer, 'three')
    await worker.publish('plain', definition())
    const unsampled = `${trace.slice(0, 53)}00`
    for (const from of [undefined, { trace: unsampled }]) {
      const { id } = await worker.start('plain', {}, undefined, from)
      await worker.until(id, 'completed')
    }
    expect(tracer.told).toEqual([])
  })
})

describe('a span', () => {
  const at = 1_700_000_000_000
  const saga = (tracer: Tracer, age: number): Instance => {
    const state = Object.assign(foldEntries([]), { at, origin: { trace } })
    const engine = { tracer, now: () => at + age }
    return { engine, state, id: 'id', tenant: 'acme', plan: { name: 'order' } } as unknown as Instance
  }
  const turn = { entries: [] } as unknown as Turn

  it('within an hour of the start is in its trace, and later in one of its own', () => {
    const tracer = recorder()
    turnSpan(saga(tracer, 3_599_000), turn)?.end()
    turnSpan(saga(tracer, 3_601_000), turn)?.end()
    expect(tracer.told.map(({ parent, apart }) => [parent, apart])).toEqual([
      [trace, false],
      [trace, true],
    ])
  })

  it('of an attempt says how it ended, and is none when the call was put off', () => {
    const tracer = recorder()
    const begin = () =>
      attemptSpan(
        saga(tracer, 0),
        { step: 'ship', undo: true, look: false },
        { method: 'POST', participant: 'order/shop' },
      )
    const answered = { kind: 'answered', headers: {}, body: null } as const
    endAttempt(begin(), { ...answered, status: 200 })
    endAttempt(begin(), { ...answered, status: 404 })
    endAttempt(begin(), { ...answered, status: 200, unusable: 'no JSON' })
    endAttempt(begin(), { kind: 'unknown', why: 'no answer' })
    endAttempt(begin(), { kind: 'postponed', afterMs: 1, why: 'breaker' })
    expect(tracer.told.map(({ name, failed }) => [name, failed])).toEqual([
      ['POST order/shop', undefined],
      ['POST order/shop', '404'],
      ['POST order/shop', 'unusable'],
      ['POST order/shop', 'unknown'],
    ])
  })
})
