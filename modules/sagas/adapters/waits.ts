import type { Postgres, PostgresTx } from '@splitstream/kernel'
import type { Json } from '../domain/json.ts'
import { lockSagas } from './sagas-table.ts'

export interface Wait {
  readonly tenant: string
  /** Of what is waited for (app/wait-key.ts). */
  readonly key: Uint8Array
  readonly sagaId: string
  readonly step: string
  /** `<source> <id>` of the event that started the saga: it is not what the step waits for. */
  readonly not: string | undefined
}

/**
 * Has the step found by the next event with its key. Registering twice is registering once; for a saga that has ended or has
 * another owner by now nothing happens, as nobody would take it off the list.
 * @param fence of the saga, as its owner has it
 */
export async function registerWait(
  postgres: Postgres,
  { tenant, key, sagaId, step, not }: Wait,
  fence: string,
): Promise<void> {
  await postgres.query(
    `INSERT INTO waits (tenant, key, saga_id, step, not_event)
     SELECT $1::text, $2::bytea, id, $4::text, $5::text FROM sagas
     WHERE tenant = $1 AND id = $3 AND fence = $6 AND owner IS NOT NULL AND status IN ('running', 'needs_attention') FOR SHARE
     ON CONFLICT DO NOTHING`,
    [tenant, Buffer.from(key), sagaId, step, not ?? null, fence],
  )
}

/**
 * The first event with the key that was received after `since` (ms since the epoch). `not` is one that does not count, by its
 * name; `taken`: keys of more of them.
 */
export async function earlyEvent(
  postgres: Postgres,
  o: {
    tenant: string
    key: Uint8Array
    since: number
    not: string | undefined
    taken: readonly Uint8Array[]
  },
): Promise<Json | undefined> {
  const rows = await postgres.query<{ event: string }>(
    `SELECT event FROM early_events WHERE tenant = $1 AND key = $2 AND received_at >= to_timestamp($3::float8 / 1000)
       AND event_key <> ALL($4::bytea[])
     ORDER BY received_at LIMIT 2`,
    [o.tenant, Buffer.from(o.key), o.since, o.taken.map((key) => Buffer.from(key))],
  )
  for (const { event } of rows) {
    const parsed = JSON.parse(event) as { source: string; id: string }
    if (`${parsed.source} ${parsed.id}` !== o.not) return parsed as unknown as Json
  }
  return undefined
}

/** An event that some step may wait for, under one of the keys by which it may. */
export interface Candidate {
  readonly tenant: string
  readonly key: Uint8Array
  /** Of (source, id). */
  readonly eventKey: Uint8Array
  /** `<source> <id>` */
  readonly name: string
  /** ms since the epoch. */
  readonly receivedAt: number
  /** CloudEvents JSON. */
  readonly event: string
}

/** Keeps events for steps that do not wait yet. To be committed before `takeWaits`. */
export async function keepEarly(postgres: Postgres, candidates: readonly Candidate[]): Promise<void> {
  await postgres.query(
    `INSERT INTO early_events (tenant, key, event_key, received_at, event)
     SELECT tenant, key, event_key, to_timestamp(ms / 1000), event
     FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::float8[], $5::text[]) AS c (tenant, key, event_key, ms, event)
     ON CONFLICT DO NOTHING`,
    [
      candidates.map(({ tenant }) => tenant),
      candidates.map(({ key }) => Buffer.from(key)),
      candidates.map(({ eventKey }) => Buffer.from(eventKey)),
      candidates.map(({ receivedAt }) => receivedAt),
      candidates.map(({ event }) => event),
    ],
  )
}

/** What some steps wait for, and a part of the list of those that do: after one of them, up to another one. */
export interface WaitList {
  readonly tenant: string
  readonly key: Uint8Array
  readonly after: WaitPlace
  readonly last: WaitPlace
}

/** A place in such a list, which is in the order of the sagas. */
type WaitPlace = Pick<Wait, 'sagaId' | 'step'>

const beginning: WaitPlace = { sagaId: '00000000-0000-0000-0000-000000000000', step: '' }

/** The lists of steps that wait for one of these now; most often there are none. Who comes later finds what is kept. */
export async function waitLists(
  postgres: Postgres,
  keys: readonly Pick<Candidate, 'tenant' | 'key'>[],
): Promise<WaitList[]> {
  const rows = await postgres.query<{ tenant: string; key: Buffer; saga_id: string; step: string }>(
    `SELECT c.tenant, c.key, w.saga_id, w.step FROM unnest($1::text[], $2::bytea[]) AS c (tenant, key)
     CROSS JOIN LATERAL (
       SELECT saga_id, step FROM waits WHERE tenant = c.tenant AND key = c.key
       ORDER BY saga_id DESC, step DESC LIMIT 1) w`,
    [keys.map(({ tenant }) => tenant), keys.map(({ key }) => Buffer.from(key))],
  )
  return rows.map(({ tenant, key, saga_id, step }) => ({
    ...{ tenant, key, after: beginning },
    last: { sagaId: saga_id, step },
  }))
}

/** The first of them, list by list. */
export async function readWaits(postgres: Postgres, lists: readonly WaitList[], limit: number): Promise<Wait[]> {
  const rows = await postgres.query<{
    tenant: string
    key: Buffer
    saga_id: string
    step: string
    not_event: string | null
  }>(
    `SELECT l.tenant, l.key, w.saga_id, w.step, w.not_event
     FROM unnest($1::text[], $2::bytea[], $3::uuid[], $4::text[], $5::uuid[], $6::text[])
       WITH ORDINALITY AS l (tenant, key, after_saga, after_step, last_saga, last_step, n)
     CROSS JOIN LATERAL (
       SELECT saga_id, step, not_event FROM waits WHERE tenant = l.tenant AND key = l.key
         AND (saga_id, step) > (l.after_saga, l.after_step) AND (saga_id, step) <= (l.last_saga, l.last_step)
       ORDER BY saga_id, step LIMIT $7) w
     ORDER BY l.n, w.saga_id, w.step LIMIT $7`,
    [
      lists.map(({ tenant }) => tenant),
      lists.map(({ key }) => Buffer.from(key)),
      lists.map(({ after }) => after.sagaId),
      lists.map(({ after }) => after.step),
      lists.map(({ last }) => last.sagaId),
      lists.map(({ last }) => last.step),
      limit,
    ],
  )
  return rows.map(({ tenant, key, saga_id, step, not_event }) => ({
    ...{ tenant, key, sagaId: saga_id, step },
    not: not_event ?? undefined,
  }))
}

/**
 * Takes steps off the list. Their sagas are locked before that, as whoever ends a saga has its row before its waits. By statements
 * of their own: in one, a saga that is committed meanwhile would not be found again.
 * @returns those that were still on it: nobody else gives them an event
 */
export async function takeWaits<W extends Wait>(tx: PostgresTx, waits: readonly W[]): Promise<W[]> {
  await lockSagas(
    tx,
    waits.map(({ tenant, sagaId }) => ({ tenant, id: sagaId })),
  )
  const rows = await tx.query<{ n: number }>(
    `DELETE FROM waits w
     USING unnest($1::text[], $2::bytea[], $3::uuid[], $4::text[]) WITH ORDINALITY AS t (tenant, key, saga_id, step, n)
     WHERE w.tenant = t.tenant AND w.key = t.key AND w.saga_id = t.saga_id AND w.step = t.step
     RETURNING (t.n - 1)::integer AS n`,
    [
      waits.map(({ tenant }) => tenant),
      waits.map(({ key }) => Buffer.from(key)),
      waits.map(({ sagaId }) => sagaId),
      waits.map(({ step }) => step),
    ],
  )
  return rows.map(({ n }) => waits[n]!)
}

/** Forgets early events that were received before `before`, ms since the epoch; some thousand at a time. */
export async function forgetEarly(postgres: Postgres, before: number): Promise<number> {
  const rows = await postgres.query(
    `DELETE FROM early_events WHERE ctid = ANY(ARRAY(
       SELECT ctid FROM early_events WHERE received_at < to_timestamp($1::float8 / 1000) LIMIT 5000)) RETURNING 1`,
    [before],
  )
  return rows.length
}
