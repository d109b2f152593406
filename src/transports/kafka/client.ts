import { AppError, type Logger } from '@splitstream/kernel'
import './record-batch.ts'
import './stop-fetching.ts'
import kafkajs, { type Kafka, logLevel, type SASLOptions } from 'kafkajs'
import type { BrokerAccess } from './access.ts'
import { whoAnswers } from './answering.ts'
import type { Brokers } from './brokers.ts'
import './observe-sasl.ts'
import type { SaslObserver } from './observe-sasl.ts'
import './out-of-range.ts'
import './quiet-queue.ts'
import type { Sasl } from './sasl.ts'
import './zstd.ts'

export type Compression = 'none' | 'gzip' | 'zstd'

export const compressionTypes: Record<Compression, kafkajs.CompressionTypes> = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
  zstd: kafkajs.CompressionTypes.ZSTD,
}

/** A client whose requests end soon: what it cannot do now, the caller spools or tries again by itself. */
export function kafkaClient(brokers: Brokers, access: BrokerAccess, clientId: string, logger: Logger): Kafka {
  return new kafkajs.Kafka({
    clientId,
    brokers: () => whoAnswers(brokers.all, access),
    socketFactory: ({ host, port, onConnect }) => access.connect(host, port, onConnect),
    ...(access.sasl && { sasl: saslOf(access, access.sasl) }),
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      // Retries are its daily work; what ends an operation is thrown to us and reported there.
      logger.debug(`kafka: ${entry.log.message}`, { namespace: entry.namespace, error: String(entry.log.error ?? '') })
    },
  })
}

/** What kafkajs reads whenever a connection makes itself known: the password may have changed since the last one. */
function saslOf(access: BrokerAccess, current: Sasl): SASLOptions {
  const sasl: SASLOptions & SaslObserver = {
    mechanism: current.mechanism,
    get username() {
      return current.username
    },
    get password() {
      return current.password
    },
    authenticated: () => access.authenticated(),
    refused: (broker, error) => access.refused(broker, error),
  }
  return sasl
}

/** The type of the broker's refusal, such as REBALANCE_IN_PROGRESS: kafkajs wraps the error that has it, more than once. */
export function refusalOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ('type' in at && typeof at.type === 'string') return at.type
  }
  return undefined
}

/** What kafkajs throws, as the error of the port. */
export function kafkaError(what: string, cause: unknown): AppError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new AppError('UNAVAILABLE', `${what}: ${message}`, { cause, retryAfterMs: 1_000 })
}
