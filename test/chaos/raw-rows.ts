import { join } from 'node:path'
import { silentLogger } from '@splitstream/kernel'
import { startEmbeddedClickHouse } from '../../src/engines/clickhouse/embedded.ts'

/** tenant, id, subject, partition, offset */
export type RawRow = [string, string, string, number, number]

export interface RawEvents {
  /** In the order of the log. */
  rows(source: string): Promise<RawRow[]>
  countOthers(sources: readonly string[]): Promise<number>
  detachedParts(): Promise<number>
  stop(): Promise<void>
}

/** Opens the events table of a stopped server with an engine of its own, past all of the product's own reading. */
export async function createEmbedded(dataDir: string): Promise<RawEvents> {
  const engine = await startEmbeddedClickHouse({
    dataDir: join(dataDir, 'clickhouse'),
    logger: silentLogger,
    sessions: 2,
  })
  return {
    ...readRaw(engine),
    // A merge result (its block numbers are a range) is not fsynced, and after a power cut its sources stand in for it.
    detachedParts: async () => (await engine.detachedParts()).filter(({ name }) => !isMerged(name)).length,
    stop: () => engine.stop(),
  }
}

/** The events table of an engine that runs. */
export function connectRaw(clickhouseUrl: string): RawEvents {
  const { origin, username, password } = new URL(clickhouseUrl)
  return { ...readRaw({ url: origin, username, password }), detachedParts: async () => 0, stop: async () => undefined }
}

function readRaw(engine: { url: string; username: string; password: string }): Pick<RawEvents, 'rows' | 'countOthers'> {
  const ask = async <T>(sql: string, params: Record<string, string> = {}): Promise<T[]> => {
    const url = new URL(engine.url)
    url.searchParams.set('database', 'splitstream')
    for (const [name, value] of Object.entries(params)) url.searchParams.set(`param_${name}`, value)
    const authorization = `Basic ${Buffer.from(`${engine.username}:${engine.password}`).toString('base64')}`
    const answer = await fetch(url, {
      method: 'POST',
      body: `${sql} FORMAT JSONCompactEachRow`,
      headers: { authorization },
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the engine answered ${answer.status}: ${text.slice(0, 500)}`)
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as T)
  }
  return {
    rows: async (source) => {
      const sql = `SELECT tenant, id, subject, _log_partition, toFloat64(_log_offset) FROM events
                   WHERE source = {source:String} ORDER BY _log_partition, _log_offset`
      return await ask<RawRow>(sql, { source })
    },
    countOthers: async (sources) => {
      const list = sources.map((s) => `'${s}'`).join(',')
      const [row] = await ask<[number]>(`SELECT toFloat64(count()) FROM events WHERE source NOT IN (${list})`)
      return row?.[0] ?? 0
    },
  }
}

/** `broken-on-start_202611_1_26_5`: partition, first and last block number, level. */
function isMerged(part: string): boolean {
  const [first, last] = /_(\d+)_(\d+)_\d+$/.exec(part)?.slice(1) ?? []
  return first !== last
}
