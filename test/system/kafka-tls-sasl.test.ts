import { randomUUID } from 'node:crypto'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger, systemClock, untilAborted } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { authorityUnavailable } from '../../src/transports/http/tls/authority.fixture.ts'
import { BrokerAccess } from '../../src/transports/kafka/access.ts'
import { Cleanups, call, entry, text } from '../../src/transports/kafka/kafka.fixture.ts'
import { firstPartition } from '../../src/transports/kafka/places.ts'
import type { Sasl } from '../../src/transports/kafka/sasl.ts'
import { type KafkaTlsFiles, KafkaTlsRotation } from '../../src/transports/kafka/tls-files.ts'
import { kafkaLog } from '../contract/logs.ts'
import { OneAhead } from '../contract/one-ahead.ts'
import { streamPortSuite } from '../contract/stream-port.suite.ts'
import { securedKafkaUnavailable } from '../support/kafka/start-secured.ts'
import { freePort, startServer } from '../support/server.ts'
import { describeUnless } from '../support/suite.ts'
import { doctor } from './doctor.fixture.ts'
import { type SecuredRig, startSecuredRig, user } from './kafka-tls-sasl.fixture.ts'

const patience = { timeout: 60_000, interval: 50 }
const scram: Sasl = { mechanism: 'scram-sha-512', ...user }

describeUnless((await securedKafkaUnavailable()) ?? authorityUnavailable, 'Kafka with TLS and SASL', () => {
  let rig: SecuredRig
  const cleanups = new Cleanups()

  const suiteLogs = new OneAhead(async (settings) => {
    const given = await access({ ca: rig.files.ca, sasl: scram })
    return kafkaLog(rig.cluster.secured.sasl, `stream-port-${randomUUID()}`, { ...settings, access: given })
  })

  beforeAll(async () => {
    rig = await startSecuredRig()
  }, 300_000)
  afterEach(() => cleanups.run())
  afterAll(async () => {
    await suiteLogs.close()
    await rig?.stop()
  })

  interface Given {
    readonly ca?: string
    readonly own?: boolean
    readonly sasl?: Sasl
    readonly everyMs?: number
  }
  const pem = (setting: string, path: string) => ({ setting, path })
  async function access({ ca, own, sasl, everyMs }: Given): Promise<BrokerAccess> {
    const { cert, key } = rig.files
    const files: KafkaTlsFiles = {
      ...(ca !== undefined && { ca: pem('KAFKA_TLS_CA', ca) }),
      ...(own && { own: { cert: pem('KAFKA_TLS_CERT', cert), key: pem('KAFKA_TLS_KEY', key) } }),
    }
    const common = { clock: systemClock, logger: silentLogger }
    const tls = await KafkaTlsRotation.read(files, { ...common, ...(everyMs !== undefined && { everyMs }) })
    await tls.start()
    cleanups.add(() => tls.stop())
    return new BrokerAccess({ tls, ...(sasl && { sasl }), ...common })
  }
  const open = async (brokers: readonly string[], given: BrokerAccess | undefined) => {
    const options = await cleanups.options(brokers, `secured-${randomUUID()}`, given && { access: given })
    return cleanups.log(options)
  }
  /** The values of partition 0, as a group reads them. */
  async function read({ consume }: Awaited<ReturnType<typeof open>>, count: number): Promise<string[]> {
    const values: string[] = []
    const consumption = await consume('reader', async (lane) => {
      if (lane.partition !== firstPartition) return untilAborted(lane.signal)
      for (let next = await lane.committed(); !lane.signal.aborted; ) {
        for (const record of await lane.read(next, { maxEvents: 100, maxBytes: 1 << 20, waitMs: 500 })) {
          values.push(text(record))
          next = record.baseOffset + record.count
        }
        await lane.commit(next)
      }
    })
    await vi.waitFor(() => expect(values.length).toBeGreaterThanOrEqual(count), patience)
    await consumption.stop()
    return values
  }

  streamPortSuite('Kafka over TLS, with SCRAM', suiteLogs.open)

  describe('lets in', () => {
    it.each(['plain', 'scram-sha-256'] as const)('a name and a password by %s', async (mechanism) => {
      const log = await open(rig.cluster.secured.sasl, await access({ ca: rig.files.ca, sasl: { mechanism, ...user } }))
      expect(await log.append([entry(0, 'one')], call())).toHaveLength(1)
      expect(await read(log, 1)).toEqual(['one'])
      expect(log.health()).toEqual({ state: 'ok' })
    })

    it('a certificate of the brokers’ CA', async () => {
      const log = await open(rig.cluster.secured.mutual, await access({ ca: rig.files.ca, own: true }))
      expect(await log.append([entry(0, 'one')], call())).toHaveLength(1)
      expect(await read(log, 1)).toEqual(['one'])
    })
  })

  describe('says what is wrong, and keeps events meanwhile', () => {
    /** At once, as `down`; what is appended is in the spool. */
    async function refused(brokers: readonly string[], given: BrokerAccess | undefined, says: RegExp) {
      const from = performance.now()
      const log = await open(brokers, given)
      expect(performance.now() - from).toBeLessThan(9_000)
      await vi.waitFor(() => {
        const { state, reason } = log.health()
        expect([state, reason]).toEqual(['down', expect.stringMatching(says)])
      }, patience)
      expect(await log.append([entry(0, 'kept')], call())).toEqual([])
      return log
    }

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
      'a wrong password by %s, mended while it runs',
      async (mechanism) => {
        let { password } = { password: 'wrong' }
        const sasl: Sasl = {
          mechanism,
          username: user.username,
          get password() {
            return password
          },
        }
        const given = await access({ ca: rig.files.ca, sasl })
        const log = await refused(rig.cluster.secured.sasl, given, /does not let in "splitstream": check KAFKA_SASL_/)
        password = user.password
        await vi.waitFor(() => expect(log.health()).toEqual({ state: 'ok' }), patience)
        expect(await log.append([entry(0, 'later')], call())).toHaveLength(1)
        expect([...new Set(await read(log, 2))]).toEqual(['kept', 'later'])
      },
    )

    it('a CA that is not trusted, mended by another file in its place', async () => {
      const ca = join(rig.dir, 'mended.pem')
      await copyFile(rig.files.other, ca)
      const given = await access({ ca, sasl: scram, everyMs: 100 })
      const log = await refused(rig.cluster.secured.sasl, given, /a certificate that KAFKA_TLS_CA does not cover/)
      await copyFile(rig.files.ca, ca)
      await vi.waitFor(() => expect(log.health()).toEqual({ state: 'ok' }), patience)
      expect(await log.append([entry(0, 'later')], call())).toHaveLength(1)
      expect([...new Set(await read(log, 2))]).toEqual(['kept', 'later'])
    })

    const named = (brokers: readonly string[]): string[] => brokers.map((one) => one.replace('127.0.0.1', 'localhost'))

    it('the CAs of the system, that know nothing of ours', async () => {
      await refused(rig.cluster.secured.sasl, await access({ sasl: scram }), /does not know .*: set KAFKA_TLS_CA/)
    })
    it('a name that is not in the certificate', async () => {
      const given = await access({ ca: rig.files.ca, sasl: scram })
      await refused(named(rig.cluster.secured.sasl), given, /a certificate for other names/)
    })
    it('no certificate where one is asked for', async () => {
      await refused(
        rig.cluster.secured.mutual,
        await access({ ca: rig.files.ca }),
        /set KAFKA_TLS_CERT and KAFKA_TLS_KEY/,
      )
    })
    it('TLS to a listener in the clear', async () => {
      await refused(rig.cluster.brokers, await access({ ca: rig.files.ca }), /does not speak TLS there/)
    })
    it('no TLS to a listener with it', async () => {
      await refused(rig.cluster.secured.sasl, undefined, /speaks TLS: set KAFKA_TLS=on/)
    })
    it('no SASL to a listener with it', async () => {
      await refused(rig.cluster.secured.sasl, await access({ ca: rig.files.ca }), /set KAFKA_SASL_MECHANISM/)
    })
    it('SASL to a listener without it', async () => {
      const given = await access({ ca: rig.files.ca, own: true, sasl: scram })
      await refused(rig.cluster.secured.mutual, given, /unset KAFKA_SASL_MECHANISM/)
    })
  })

  describe('a process', () => {
    const settings = (more: Record<string, string>): Record<string, string> => ({
      LINK_EVENTS: `kafka://${rig.cluster.secured.sasl.join(',')}`,
      KAFKA_TOPIC: `secured-${randomUUID()}`,
      KAFKA_TLS: 'on',
      KAFKA_TLS_CA: rig.files.ca,
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: user.username,
      ...more,
    })

    it('with a wrong password is not ready and says so, keeps events, and goes on with the right one', async () => {
      const cwd = await cleanups.folder()
      const password = (value: string) => writeFile(join(cwd, '.env'), `KAFKA_SASL_PASSWORD=${value}\n`)
      await password('wrong')
      const [port, adminKey] = [await freePort(), randomUUID() + randomUUID()]
      let pid = 0
      const onSpawn = (id: number): void => {
        pid = id
      }
      const env = settings({ ADMIN_KEY: adminKey })
      const starting = startServer({ cwd, port, env, onSpawn, readyTimeoutMs: 150_000 })
      starting.catch(() => undefined)
      cleanups.add(async () => (await starting.catch(() => undefined))?.stop())
      const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
      const says =
        /log.*Kafka cannot be used: broker .* does not let in .*check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD/
      await vi.waitFor(async () => {
        const answer = await ask('/health/ready')
        expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(says)])
        expect(await (await ask('/health')).text()).toMatch(says)
      }, patience)
      const sent = await ask('/v1/events', {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ id: '1', source: '/secured', type: 't' }),
      })
      expect([sent.status, sent.headers.get('splitstream-degraded')]).toEqual([202, 'spooled'])
      await password(user.password)
      process.kill(pid, 'SIGHUP')
      const server = await starting
      const told = server.output()
      expect(told).toMatch(/"level":"error".*Kafka cannot be used: broker .* does not let in/)
      expect(told).not.toContain(user.password)
      await vi.waitFor(async () => {
        const found = await ask('/v1/events', { headers: { authorization: `Bearer ${adminKey}` } })
        expect(((await found.json()) as { events: object[] }).events).toHaveLength(1)
      }, patience)
    }, 200_000)

    it.each([
      ['KAFKA_TLS_CA: /nowhere cannot be read (ENOENT)', { KAFKA_TLS_CA: '/nowhere' }],
      ['set KAFKA_TLS_KEY, too', { KAFKA_TLS_CERT: '/nowhere' }],
      [
        'KAFKA_SASL_MECHANISM=scram-sha-512 needs a name and a password: set KAFKA_SASL_PASSWORD',
        { KAFKA_SASL_PASSWORD: '' },
      ],
    ])('does not start: %s', async (message, more) => {
      const env = settings({ KAFKA_SASL_PASSWORD: user.password, ...more })
      const from = performance.now()
      await expect(startServer({ env })).rejects.toThrow(message)
      // 2 s, and what a busy machine takes to start Node.
      expect(performance.now() - from).toBeLessThan(10_000)
    })

    it('doctor looks at the brokers with the same settings', async () => {
      const dir = await cleanups.folder()
      const look = async (more: Record<string, string>) => (await doctor(dir, settings(more))).rows.get('Kafka')
      const right = { KAFKA_SASL_PASSWORD: user.password }
      expect(await look(right)).toMatchObject({
        verdict: 'ok',
        measured: expect.stringMatching(/^3 brokers/) as string,
      })
      const refused = (advice: string) => ({ verdict: 'fail', advice: expect.stringContaining(advice) as string })
      expect(await look({ KAFKA_SASL_PASSWORD: 'wrong' })).toMatchObject(refused('does not let in'))
      expect(await look({ ...right, KAFKA_TLS_CA: rig.files.other })).toMatchObject(
        refused('KAFKA_TLS_CA does not cover'),
      )
      expect((await look({ ...right, KAFKA_TLS_CA: '/nowhere' }))?.measured).toContain('KAFKA_TLS_CA: /nowhere')
    }, 120_000)
  })
})
