import type { Logger } from '@splitstream/kernel'
import { pino } from 'pino'

/** JSON lines on standard output, written at once: nothing is lost in a crash. */
export function createLogger(level: 'debug' | 'info' | 'warn' | 'error'): Logger {
  const log = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  })
  return {
    debug: (message, fields) => log.debug(fields, message),
    info: (message, fields) => log.info(fields, message),
    warn: (message, fields) => log.warn(fields, message),
    error: (message, fields) => log.error(fields, message),
  }
}
