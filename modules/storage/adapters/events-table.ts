import { flagTimeAssigned, rowColumns } from '@splitstream/ingest/contract'
import { type Call, type ClickHouse, ClickHouseError, type Clock, systemClock } from '@splitstream/kernel'
import { maxSkew, timeKind } from '../domain/seen-index.ts'
import { insertSettings } from '../domain/table.ts'
import { unlessSilent } from './unless-silent.ts'

/** What identifies a stored event in the primary key: (tenant, time µs, key). */
export interface StoredKey {
  readonly tenant: string
  readonly time: number
  readonly key: bigint
}

export interface StoredIdentity {
  readonly source: string
  readonly id: string
}

/** Offsets of one partition, from … next - 1. */
export interface Offsets {
  readonly partition: number
  readonly from: number
  readonly next: number
}

/** How the seen-index takes an event's time, and whether that is ahead of its arrival; as domain/block.ts reads it from a row. */
const isUntimed = `bitAnd(flags, ${flagTimeAssigned}) != 0`
const isAhead = `time > received + toIntervalMicrosecond(${maxSkew})`
const kind = `multiIf(${isUntimed}, ${timeKind.untimed}, ${isAhead}, ${timeKind.ahead}, ${timeKind.own})`

/** What is received before `since` and the time of which does not tell that it is: `before` is the greatest time that does. */
const remembered = `received < fromUnixTimestamp64Micro({since:Int64})
  AND (${isUntimed} OR (${isAhead} AND time > fromUnixTimestamp64Micro({before:Int64})))`

/** Keys of one look-up statement, of 41 bytes at most with a time and of 21 without: it stays below the engine's 256 KiB. */
const timedKeys = 5_000
const bareKeys = 12_000

/** How often inserts that are being ended are looked for, ms. */
const lookEveryMs = 50

/** How long a stream of keys may be silent, ms: longer than a look at the whole table takes, which is made before. */
const silentMs = 60_000

/** The engine's code for what a user, or the embedded engine, does not allow. */
const accessDenied = 497

/** The write side of the events table, and the look-ups that exactly-once needs. */
export class EventsTable {
  readonly #clickhouse: ClickHouse
  readonly #clock: Clock
  readonly #silentMs: number

  /** @param o.silentMs a stream that brings nothing for so long is ended */
  constructor(clickhouse: ClickHouse, clock: Clock = systemClock, o: { readonly silentMs?: number } = {}) {
    this.#clickhouse = clickhouse
    this.#clock = clock
    this.#silentMs = o.silentMs ?? silentMs
  }

  /** Inserts RowBinary rows as one part. The engine ignores a second insert under the same token. */
  async insert(body: readonly Uint8Array[], token: string, call: Call): Promise<void> {
    await this.#clickhouse.insert(
      {
        table: 'events',
        columns: rowColumns,
        format: 'RowBinary',
        body,
        settings: { ...insertSettings, insert_deduplication_token: token },
      },
      call,
    )
  }

  /**
   * Ends the inserts of the partition that run anywhere, and returns once there are none. A server goes on with an insert whose
   * caller died or lost its patience; under the same token that does no harm, but before rows of it are inserted under another
   * one it has to be over, or they would be there twice. Where KILL is not allowed, as in the embedded engine, they are waited for.
   * @throws AppError DEADLINE_EXCEEDED when one does not end; UNAVAILABLE when a server cannot be asked
   */
  async endInserts(partition: number, call: Call): Promise<void> {
    const running = `current_database = currentDatabase() AND query_kind = 'Insert'
      AND startsWith(Settings['insert_deduplication_token'], '${partition}:')`
    const count = { sql: `SELECT count() AS n FROM system.processes WHERE ${running}`, replicas: 'each' } as const
    for (;;) {
      const counts = await this.#clickhouse.rows<{ n: string }>(count, call)
      if (counts.every(({ n }) => Number(n) === 0)) return
      try {
        await this.#clickhouse.command({ sql: `KILL QUERY WHERE ${running} ASYNC`, replicas: 'each' }, call)
      } catch (error) {
        if (!(error instanceof ClickHouseError) || error.number !== accessDenied) throw error
      }
      await this.#clock.sleep(lookEveryMs, call.signal)
    }
  }

  /** Offsets of the range that are in the table already, and with replicas on as many of them as an insert waits for. */
  async storedOffsets(partition: number, first: number, last: number, call: Call): Promise<Set<number>> {
    const rows = await this.#clickhouse.rows<{ o: string }>(
      {
        sql: `SELECT _log_offset AS o FROM events
              WHERE _log_partition = {partition:UInt32} AND _log_offset BETWEEN {first:UInt64} AND {last:UInt64}`,
        params: { partition, first, last },
        replicas: 'majority',
      },
      call,
    )
    return new Set(rows.map((row) => Number(row.o)))
  }

  /** Rows of the partition from offset `from` on and below `next`. */
  countBetween(partition: number, from: number, next: number, call: Call): Promise<number> {
    return this.countIn([{ partition, from, next }], call)
  }

  /** Rows at these places. */
  countIn(places: readonly Offsets[], call: Call): Promise<number> {
    return this.#count(anyOf(places), {}, call)
  }

  /** Where the rows of the partition from offset `from` on end; `from` when there are none. */
  async endFrom(partition: number, from: number, call: Call): Promise<number> {
    const [row] = await this.#clickhouse.rows<{ n: string; last: string }>(
      {
        sql: `SELECT count() AS n, max(_log_offset) AS last FROM events
              WHERE _log_partition = {partition:UInt32} AND _log_offset >= {from:UInt64}`,
        params: { partition, from },
      },
      call,
    )
    return Number(row!.n) === 0 ? from : Number(row!.last) + 1
  }

  /** Identities stored under these primary keys. */
  async findByKeys(tenant: string, keys: readonly StoredKey[], call: Call): Promise<StoredIdentity[]> {
    const found: StoredIdentity[] = []
    for (let i = 0; i < keys.length; i += timedKeys) {
      const some = keys.slice(i, i + timedKeys)
      const times = array(
        'Int64',
        some.map(({ time }) => time),
      )
      const pairs = `SELECT arrayJoin(arrayZip(${times}, ${array(
        'UInt64',
        some.map(({ key }) => key),
      )})) AS pair`
      const set = `SELECT fromUnixTimestamp64Micro(pair.1, 'UTC'), pair.2 FROM (${pairs})`
      found.push(...(await this.#identities(`(time, _key) IN (${set})`, tenant, call)))
    }
    return found
  }

  /** The same without knowing the time: reads the key column of the whole tenant. */
  async findAnywhere(tenant: string, keys: readonly bigint[], call: Call): Promise<StoredIdentity[]> {
    const found: StoredIdentity[] = []
    for (let i = 0; i < keys.length; i += bareKeys) {
      const set = `SELECT arrayJoin(${array('UInt64', keys.slice(i, i + bareKeys))})`
      found.push(...(await this.#identities(`_key IN (${set})`, tenant, call)))
    }
    return found
  }

  #identities(condition: string, tenant: string, call: Call): Promise<StoredIdentity[]> {
    return this.#clickhouse.rows<StoredIdentity>(
      {
        sql: `SELECT source, id FROM events WHERE tenant = {tenant:String} AND ${condition}`,
        params: { tenant },
      },
      call,
    )
  }

  count(call: Call): Promise<number> {
    return this.#count('1', {}, call)
  }

  async #count(condition: string, params: Record<string, number>, call: Call): Promise<number> {
    const sql = `SELECT count() AS n FROM events WHERE ${condition}`
    const [row] = await this.#clickhouse.rows<{ n: string }>({ sql, params }, call)
    return Number(row!.n)
  }

  /**
   * Of the events received at or after `since` (µs), streamed: key (u64), time (i64 µs), TimeKind (u8); little endian.
   * @throws AppError UNAVAILABLE, also while the chunks are read, when none comes for a minute
   */
  recentKeys(since: number, call: Call): Promise<AsyncIterable<Uint8Array>> {
    return this.#keys('received >= fromUnixTimestamp64Micro({since:Int64})', { since }, call)
  }

  /** The same of the events received before `since` that came without a time, or ahead of it by one greater than `before` (µs). */
  rememberedKeys(since: number, before: number, call: Call): Promise<AsyncIterable<Uint8Array>> {
    return this.#keys(remembered, { since, before }, call)
  }

  /** How many those are. */
  countRemembered(since: number, before: number, call: Call): Promise<number> {
    return this.#count(remembered, { since, before }, call)
  }

  /** The same of the events at these places. */
  keysIn(places: readonly Offsets[], call: Call): Promise<AsyncIterable<Uint8Array>> {
    return this.#keys(anyOf(places), {}, call)
  }

  #keys(condition: string, params: Record<string, number>, call: Call): Promise<AsyncIterable<Uint8Array>> {
    const sql = `SELECT _key, toInt64(toUnixTimestamp64Micro(time)), ${kind}, _log_partition FROM events WHERE ${condition}`
    const begin = (within: Call) => this.#clickhouse.stream({ sql, params, format: 'RowBinary' }, within)
    return unlessSilent(begin, call, this.#silentMs)
  }

  /** How many events were received in each `unit` (µs) of since … until - 1 (µs) in which there were any, the last one first. */
  async countsReceived(since: number, until: number, unit: number, call: Call): Promise<{ from: number; n: number }[]> {
    const rows = await this.#clickhouse.rows<{ units: string; n: string }>(
      {
        sql: `SELECT intDiv(toUnixTimestamp64Micro(received), {unit:Int64}) AS units, count() AS n FROM events
              WHERE received >= fromUnixTimestamp64Micro({since:Int64}) AND received < fromUnixTimestamp64Micro({until:Int64})
              GROUP BY units ORDER BY units DESC`,
        params: { since, until, unit },
      },
      call,
    )
    return rows.map(({ units, n }) => ({ from: Number(units) * unit, n: Number(n) }))
  }

  /**
   * How many events were received at or after `since` (µs), and the greatest time (µs) of one received before it and not ahead, by
   * partition; that of 1970 when there is none.
   */
  async windowAt(since: number, call: Call): Promise<{ inside: number; before: ReadonlyMap<number, number> }> {
    const rows = await this.#clickhouse.rows<{ partition: number; inside: string; before: string }>(
      {
        sql: `SELECT _log_partition AS partition, countIf(received >= fromUnixTimestamp64Micro({since:Int64})) AS inside,
                     toUnixTimestamp64Micro(maxIf(time, received < fromUnixTimestamp64Micro({since:Int64}) AND NOT (${isAhead}))) AS before
              FROM events GROUP BY partition`,
        params: { since },
      },
      call,
    )
    return {
      inside: rows.reduce((sum, row) => sum + Number(row.inside), 0),
      before: new Map(rows.map(({ partition, before }) => [partition, Number(before)])),
    }
  }
}

/** One literal: as many as there are numbers would take the engine's parser more than twice as long as the look-up. */
const array = (type: string, numbers: readonly (number | bigint)[]): string =>
  `CAST('[${numbers.join(',')}]', 'Array(${type})')`

/** Numbers are all that is written into the text. */
const anyOf = (places: readonly Offsets[]): string =>
  places
    .map((p) => `_log_partition = ${p.partition} AND _log_offset >= ${p.from} AND _log_offset < ${p.next}`)
    .join(' OR ')
