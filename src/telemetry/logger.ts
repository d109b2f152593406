import type { Logger } from '@splitstream/kernel'
import { type DestinationStream, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface ProcessLogger extends Logger {
  /** The least severe line that is written from now on. */
  setLevel(level: LogLevel): void
}

/** A key of ours inside a text: never written, wherever it comes from. */
const apiKey = /ss_[a-z]+_[0-9A-Za-z]{4,}_[0-9A-Za-z_]+/g

const secretFields = ['authorization', 'password', 'secret', 'key', 'apiKey', 'cookie']

/**
 * JSON lines, on standard output when no other destination is given, written at once: nothing is lost in a crash. Fields
 * that hold secrets by their name, and keys of ours inside texts, come out as `[hidden]`.
 */
export function createLogger(level: LogLevel, to?: DestinationStream): ProcessLogger {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '[hidden]' },
    },
    to ?? pino.destination({ dest: 1, sync: true }),
  )
  return {
    setLevel: (next) => {
      log.level = next
    },
    debug: (message, fields) => log.debug(fields && clean(fields), text(message)),
    info: (message, fields) => log.info(fields && clean(fields), text(message)),
    warn: (message, fields) => log.warn(fields && clean(fields), text(message)),
    error: (message, fields) => log.error(fields && clean(fields), text(message)),
  }
}

const text = (value: string): string => (value.includes('ss_') ? value.replace(apiKey, '[hidden]') : value)

function clean(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let cleaned: Record<string, unknown> | undefined
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'string' || !value.includes('ss_')) continue
    cleaned ??= { ...fields }
    cleaned[name] = text(value)
  }
  return cleaned ?? fields
}
