import pg from 'pg'
import { alive } from './connection-options.ts'
import type { ConnectOptions } from './driver.ts'
import { endClient } from './end-client.ts'

const pauseMs = 1_000

/** A connection of its own that listens, and is made again when it is lost. */
export function listenTo(
  o: Pick<ConnectOptions, 'url' | 'applicationName' | 'connectTimeoutMs'>,
  channel: string,
  onMessage: (payload: string) => void,
): { stop(): Promise<void> } {
  let stopped = false
  let client: pg.Client | undefined
  let again: NodeJS.Timeout | undefined

  const connect = async (): Promise<void> => {
    const mine = new pg.Client({
      connectionString: o.url,
      application_name: `${o.applicationName} listener`,
      connectionTimeoutMillis: o.connectTimeoutMs ?? 5_000,
      ...alive,
    })
    client = mine
    let lost = false
    const reconnect = (): void => {
      if (lost || stopped) return
      lost = true
      mine.end().catch(() => undefined)
      again = setTimeout(() => void connect(), pauseMs)
    }
    mine.on('error', reconnect).on('end', reconnect)
    mine.on('notification', ({ payload }) => onMessage(payload ?? ''))
    try {
      await mine.connect()
      await mine.query(`LISTEN ${mine.escapeIdentifier(channel)}`)
    } catch {
      reconnect()
    }
  }
  void connect()
  return {
    stop: async () => {
      stopped = true
      clearTimeout(again)
      if (client) await endClient(client)
    },
  }
}
