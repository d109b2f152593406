import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Lifecycle, silentLogger, systemClock } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { loadConfig } from './config.ts'
import { checkKafkaAccess, openKafkaAccess } from './kafka-access.ts'
import { brokersOf } from './topology.ts'

function check(env: object): void {
  const config = loadConfig(env as Record<string, string>)
  checkKafkaAccess(config, brokersOf(config.LINK_EVENTS))
}

const far = { LINK_EVENTS: 'kafka://127.0.0.1:9092,b2:9092' }
const named = { KAFKA_SASL_USERNAME: 'shop', KAFKA_SASL_PASSWORD: 'secret' }
const plain = { KAFKA_SASL_MECHANISM: 'plain', ...named }

it.each([
  ['a CA without TLS', { KAFKA_TLS_CA: 'ca' }, 'KAFKA_TLS_CA is set, and KAFKA_TLS is off: set KAFKA_TLS=on'],
  ['a certificate without its key', { KAFKA_TLS: 'on', KAFKA_TLS_CERT: 'c' }, 'set KAFKA_TLS_KEY, too'],
  ['a key without its certificate', { KAFKA_TLS: 'on', KAFKA_TLS_KEY: 'k' }, 'set KAFKA_TLS_CERT, too'],
  [
    'a password without a mechanism',
    { KAFKA_SASL_PASSWORD: 'p' },
    'KAFKA_SASL_PASSWORD is set, and KAFKA_SASL_MECHANISM',
  ],
  ['a name without a mechanism', { KAFKA_SASL_USERNAME: 'u' }, 'KAFKA_SASL_USERNAME is set, and KAFKA_SASL_MECHANISM'],
  [
    'a mechanism without a password',
    { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'u' },
    'set KAFKA_SASL_PASSWORD',
  ],
  [
    'a mechanism without a name',
    { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: 'p' },
    'set KAFKA_SASL_USERNAME',
  ],
  [
    'a password in the clear',
    { ...far, ...plain },
    'would send the password to b2:9092 in the clear: set KAFKA_TLS=on',
  ],
])('%s is refused', (_, env, says) => {
  expect(() => check(env)).toThrow(says)
})

it.each([
  {},
  { KAFKA_TLS: 'on', ...far },
  { KAFKA_TLS: 'on', KAFKA_TLS_CA: 'ca', KAFKA_TLS_CERT: 'c', KAFKA_TLS_KEY: 'k' },
  { ...plain, LINK_EVENTS: 'kafka://127.0.0.1:9092,localhost:9093,[::1]:9092' },
  { ...plain, ...far, KAFKA_TLS: 'on' },
  { ...plain, ...far, KAFKA_SASL_IN_CLEAR: 'allow' },
  { ...named, ...far, KAFKA_SASL_MECHANISM: 'scram-sha-256' },
])('%j is taken', (env) => {
  expect(() => check(env)).not.toThrow()
})

it('files that cannot be used are refused by the name of their setting', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-kafka-access-'))
  const lifecycle = new Lifecycle(silentLogger)
  try {
    const open = (env: Record<string, string>) =>
      openKafkaAccess(loadConfig({ KAFKA_TLS: 'on', ...env }), systemClock, silentLogger, lifecycle)
    const text = join(dir, 'text.pem')
    await writeFile(text, 'no certificate')
    const refused = (message: string) => ({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message) as string,
    })
    await expect(open({ KAFKA_TLS_CA: join(dir, 'none') })).rejects.toMatchObject(
      refused(`KAFKA_TLS_CA: ${join(dir, 'none')} cannot be read (ENOENT)`),
    )
    await expect(open({ KAFKA_TLS_CA: text })).rejects.toMatchObject(refused(`KAFKA_TLS_CA: ${text} cannot be used`))
    await expect(open({ KAFKA_TLS_CERT: text, KAFKA_TLS_KEY: text })).rejects.toMatchObject(refused('KAFKA_TLS_CERT: '))
  } finally {
    await lifecycle.stop()
    await rm(dir, { recursive: true, force: true })
  }
})
