import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Fleet, type FleetProcess, startFleet } from '../support/fleet.ts'
import { describeWithKafka, kafkaOfSuite } from '../support/kafka/suite.ts'

/*
 * The same Idempotency-Key at two processes. Each knows of itself alone what it is answering: between them only Postgres decides,
 * and it is held here between the write of the first and its commit.
 */

interface Answer {
  readonly status: number
  readonly replayed: boolean
  readonly id: string | undefined
  readonly code: string | undefined
  readonly sagaStatus: string | undefined
  readonly output: unknown
}

/** Held by the test, the commit of a start waits. */
const gate = 4_711
const hold = `
  CREATE FUNCTION sagas.hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(${gate}); RETURN NULL; END $$;
  CREATE TRIGGER hold AFTER INSERT ON sagas.starts FOR EACH ROW EXECUTE FUNCTION sagas.hold()`

describeWithKafka('an Idempotency-Key at two processes', () => {
  const kafka = kafkaOfSuite()
  let fleet: Fleet
  let sql: pg.Client
  let [one, other]: FleetProcess[] = []

  beforeAll(async () => {
    fleet = await startFleet({
      processes: [
        { name: 'events', modules: ['ingest', 'storage', 'query'] },
        { name: 'one', modules: ['sagas'] },
        { name: 'other', modules: ['sagas'] },
      ],
      events: { brokers: kafka.brokers },
      readyTimeoutMs: 100_000,
    })
    kafka.topics.push(fleet.topic)
    one = fleet.process('one')
    other = fleet.process('other')
    sql = new pg.Client({ connectionString: fleet.postgresUrl })
    await sql.connect()
    await sql.query(hold)
    const definition = { steps: [{ id: 'w', wait: { for: '3s' } }], output: '${input}' }
    await ask(one, 'PUT', '/v1/saga-definitions/pause', definition)
  }, 180_000)
  afterAll(async () => {
    await sql?.end()
    await fleet?.stop()
  })

  const ask = (process: FleetProcess, method: string, path: string, body?: unknown, key?: string) =>
    fetch(process.url + path, {
      method,
      headers: {
        authorization: `Bearer ${fleet.adminKey}`,
        'content-type': 'application/json',
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

  async function start(process: FleetProcess, key: string, input: unknown = { n: 1 }, query = ''): Promise<Answer> {
    const response = await ask(process, 'POST', `/v1/sagas/pause${query}`, input, key)
    const json = (await response.json()) as { id?: string; code?: string; status?: string; output?: unknown }
    return {
      status: response.status,
      replayed: response.headers.get('idempotent-replayed') === 'true',
      id: json.id,
      code: json.code,
      sagaStatus: json.status,
      output: json.output,
    }
  }

  /** The sagas that the key has made. */
  async function made(key: string): Promise<string[]> {
    const response = await ask(other!, 'GET', `/v1/sagas?key=${encodeURIComponent(key)}`)
    return ((await response.json()) as { sagas: { id: string }[] }).sagas.map(({ id }) => id)
  }

  /** So many sessions wait for a lock of this kind: the first start for the gate, the second for what came of the first. */
  const waits = async (locktype: 'advisory' | 'transactionid', n: number): Promise<void> => {
    const text = 'SELECT FROM pg_locks WHERE NOT granted AND locktype = $1'
    await vi.waitFor(async () => expect((await sql.query(text, [locktype])).rowCount).toBe(n))
  }

  /** Begins the first start in one process, and once it is written and not committed, `second`; then lets it commit. */
  async function beforeCommit<T>(
    key: string,
    second: () => Promise<T>,
    until: (answer: Promise<T>) => Promise<unknown>,
  ) {
    await sql.query('SELECT pg_advisory_lock($1)', [gate])
    const first = start(one!, key).catch(() => undefined)
    try {
      await waits('advisory', 1)
      const answer = second()
      await until(answer)
      return { answer, first }
    } finally {
      await sql.query('SELECT pg_advisory_unlock($1)', [gate])
    }
  }

  const untilItWaits = () => waits('transactionid', 1)

  it('waits for the commit of the first, and gives its saga', async () => {
    const key = randomUUID()
    const { answer, first } = await beforeCommit(key, () => start(other!, key), untilItWaits)
    const [begun, again] = [await first, await answer]
    expect(begun).toMatchObject({ status: 202, replayed: false })
    expect(again).toMatchObject({ status: 202, replayed: true, id: begun?.id })
    expect(await made(key)).toEqual([begun?.id])
  })

  it('gives 422 with another input, also when the first is not committed', async () => {
    const key = randomUUID()
    const { answer, first } = await beforeCommit(key, () => start(other!, key, { n: 2 }), untilItWaits)
    expect(await answer).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' })
    expect(await made(key)).toEqual([(await first)?.id])
  })

  it('gives 409 at the process of the first at the same time', async () => {
    const key = randomUUID()
    const { answer, first } = await beforeCommit(
      key,
      async () => await Promise.all([start(one!, key), start(one!, key, { n: 2 })]),
      (answer) => answer,
    )
    const busy = { status: 409, code: 'IDEMPOTENCY_KEY_BUSY' }
    expect(await answer).toMatchObject([busy, busy])
    expect(await made(key)).toEqual([(await first)?.id])
  })

  it('gives the saga at once while the first waits for its end, or that end', async () => {
    const key = randomUUID()
    const first = start(one!, key, { n: 1 }, '?wait=20')
    await vi.waitFor(async () => expect(await made(key)).toHaveLength(1))
    const now = await start(other!, key)
    expect(now).toMatchObject({ status: 202, replayed: true, sagaStatus: 'running', output: null })
    expect(await start(other!, key, { n: 2 })).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' })
    const end = start(other!, key, { n: 1 }, '?wait=20')
    expect(await start(one!, key)).toMatchObject({ status: 409, code: 'IDEMPOTENCY_KEY_BUSY' })
    const ended = { status: 200, id: now.id, sagaStatus: 'completed', output: { n: 1 } }
    expect(await first).toMatchObject({ ...ended, replayed: false })
    expect(await end).toMatchObject({ ...ended, replayed: true })
    // As the saga is now, and not the 202 that was given first.
    expect(await start(other!, key)).toMatchObject({ ...ended, replayed: true })
  })

  it('sent by many to both at once starts one saga, and each answer is one that is promised', async () => {
    for (let round = 0; round < 5; round++) {
      const key = randomUUID()
      const both = Array.from({ length: 20 }, (_, i) => start(i % 2 === 0 ? one! : other!, key))
      const answers = await Promise.all(both)
      const told = answers.filter(({ status }) => status === 202)
      expect(await made(key)).toEqual([...new Set(told.map(({ id }) => id))])
      expect(told.filter(({ replayed }) => !replayed)).toHaveLength(1)
      const codes = new Set(
        answers.filter(({ status }) => status !== 202).map(({ status, code }) => `${status} ${code}`),
      )
      expect([...codes].filter((code) => code !== '409 IDEMPOTENCY_KEY_BUSY')).toEqual([])
    }
  })

  it('gives one saga when the first process dies before its commit', async () => {
    const key = randomUUID()
    const { answer, first } = await beforeCommit(
      key,
      () => start(other!, key),
      async () => {
        await untilItWaits()
        await one!.kill()
      },
    )
    expect(await first).toBeUndefined()
    const again = await answer
    expect(again.status).toBe(202)
    expect(await start(other!, key, { n: 1 }, '?wait=20')).toMatchObject({ status: 200, replayed: true, id: again.id })
    expect(await made(key)).toEqual([again.id])
    await one!.start()
  })
})
