import type { KafkaCluster, Secured } from './cluster.ts'
import { jarsAtHand } from './jars.ts'
import { findJava } from './java.ts'
import { startLocal } from './local.ts'

/** Why there can be no secured brokers here; undefined when there can be. They run from jars, also where Docker does. */
export async function securedKafkaUnavailable(): Promise<string | undefined> {
  const java = await findJava()
  return 'missing' in java ? `secured brokers run with the local Java, and ${java.missing}` : jarsAtHand()
}

/** Brokers that have, beside the listener for everybody, two with TLS. @throws Error when they do not get ready */
export async function startSecuredKafka(
  secured: Secured,
): Promise<KafkaCluster & Required<Pick<KafkaCluster, 'secured'>>> {
  const java = await findJava()
  if ('missing' in java) throw new Error(java.missing)
  const cluster = await startLocal(java, { secured })
  return { ...cluster, secured: cluster.secured! }
}
