import { kafkaUnavailable, startKafka } from '../kafka/start.ts'

/** Where the log of the split is, and why there. */
export interface Log {
  /** Absent: in the process of the modules that use it. */
  readonly brokers?: readonly string[]
  readonly why: string
  stop(): Promise<void>
}

/** Kafka when it is there or can be started; never fails. */
export async function brokersHere(withoutKafka: boolean): Promise<Log> {
  if (withoutKafka) return local('as asked')
  const missing = await kafkaUnavailable()
  if (missing !== undefined) return local(missing)
  try {
    const { kind, brokers, stop } = await startKafka()
    const origin = { external: 'KAFKA_BROKERS', docker: 'started in Docker', jars: 'started from the jars' }[kind]
    return { brokers, why: `four processes over Kafka (${brokers.join(', ')}; ${origin})`, stop }
  } catch (error) {
    return local(`Kafka did not start: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const local = (reason: string): Log => ({
  why: `two processes over HTTP, and the event log in the first (${reason})`,
  stop: async () => {},
})
