/* Brokers with TLS and SASL, certificates for them, and the files that a process is given. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Authority } from '../../src/transports/http/tls/authority.fixture.ts'
import type { KafkaCluster } from '../support/kafka/cluster.ts'
import { startSecuredKafka } from '../support/kafka/start-secured.ts'

export const user = { username: 'splitstream', password: 'a-secret=with+signs' }

export interface SecuredRig {
  readonly cluster: KafkaCluster & Required<Pick<KafkaCluster, 'secured'>>
  /** For tests to write in. */
  readonly dir: string
  /** PEM files: the CA of the brokers, another one, a certificate for this side and its key. */
  readonly files: { readonly ca: string; readonly other: string; readonly cert: string; readonly key: string }
  stop(): Promise<void>
}

export async function startSecuredRig(): Promise<SecuredRig> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-kafka-tls-'))
  const [authority, other] = await Promise.all(['ours', 'another'].map((name) => Authority.create(name)))
  const close = async (): Promise<void> => {
    await Promise.all([authority, other].map((one) => one?.close()))
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const broker = await authority!.issue({ names: ['IP:127.0.0.1'] })
    const own = await authority!.issue({ names: ['DNS:splitstream'] })
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(dir, name), text)
      return join(dir, name)
    }
    const files = {
      ca: await file('ca.pem', authority!.ca),
      other: await file('other.pem', other!.ca),
      cert: await file('cert.pem', own.cert),
      key: await file('key.pem', own.key),
    }
    const cluster = await startSecuredKafka({ ...broker, ca: authority!.ca, ...user })
    const stop = async (): Promise<void> => {
      await cluster.stop()
      await close()
    }
    return { cluster, dir, files, stop }
  } catch (error) {
    await close()
    throw error
  }
}
