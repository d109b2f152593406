import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { jarsAtHand } from './jars.ts'
import { findJava, type Java } from './java.ts'

const run = promisify(execFile)

/** Where the brokers of a test come from, in the order in which they are preferred. */
export type Source =
  | { readonly kind: 'external'; readonly brokers: readonly string[] }
  | { readonly kind: 'docker' }
  | { readonly kind: 'jars'; readonly java: Java }
  | { readonly kind: 'none'; readonly reason: string }

export async function findSource(): Promise<Source> {
  const named = process.env.KAFKA_BROKERS?.split(',').flatMap((broker) => broker.trim() || [])
  if (named?.length) return { kind: 'external', brokers: named }
  if (await dockerAnswers()) return { kind: 'docker' }
  const java = await findJava()
  if ('missing' in java) return none(java.missing)
  const missing = await jarsAtHand()
  if (missing !== undefined) return none(missing)
  return { kind: 'jars', java }
}

const none = (why: string): Source => ({
  kind: 'none',
  reason: `there is no Kafka here: ${why}, and no Docker engine answers. Install Java 17, start Docker, or set KAFKA_BROKERS`,
})

/** Why there can be no Kafka here and what would change that; undefined when there can be. */
export async function kafkaUnavailable(): Promise<string | undefined> {
  const source = await findSource()
  return source.kind === 'none' ? source.reason : undefined
}

async function dockerAnswers(): Promise<boolean> {
  try {
    const { stdout } = await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 5_000 })
    return stdout.trim() !== ''
  } catch {
    return false // no client, no engine, or one that hangs
  }
}
