import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { consulUnavailable } from '../support/consul/program.ts'
import { startConsul } from '../support/consul/server.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { createTopic, deleteTopics } from '../support/kafka/topic.ts'
import { startRedis } from '../support/redis/start.ts'
import { describeWithRedis } from '../support/redis/suite.ts'
import { describeUnless } from '../support/suite.ts'
import { doctor as diagnose } from './doctor.fixture.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-doctor-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const doctor = (env: Record<string, string>) => diagnose(dir, env)

describeWithKafka('Kafka', () => {
  let cluster: KafkaCluster
  const [right, wrong, none] = [1, 2, 3].map(() => `doctor-${randomUUID()}`) as [string, string, string]
  beforeAll(async () => {
    cluster = await startKafka()
    const settings = { 'min.insync.replicas': '2', 'max.message.bytes': String(32 << 20), 'cleanup.policy': 'delete' }
    await createTopic(cluster.brokers, { topic: right, partitions: 2, settings })
    await createTopic(cluster.brokers, {
      topic: wrong,
      partitions: 2,
      settings: { ...settings, 'min.insync.replicas': '1' },
    })
  }, 300_000)
  afterAll(async () => {
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, [right, wrong])
    await cluster?.stop()
  })

  it('is asked for brokers and the topic, and nothing is made', async () => {
    const look = async (topic: string, env: Record<string, string> = {}) =>
      (await doctor({ LINK_EVENTS: `kafka://${cluster.brokers.join(',')}`, KAFKA_TOPIC: topic, ...env })).rows.get(
        'Kafka',
      )
    expect(await look(right)).toMatchObject({
      verdict: 'ok',
      measured: expect.stringMatching(/^3 brokers, round trip/),
    })
    expect(await look(wrong)).toMatchObject({
      verdict: 'fail',
      advice: expect.stringContaining('min.insync.replicas=1'),
    })
    expect(await look(right, { LOG_PARTITIONS: '5' })).toMatchObject({
      verdict: 'fail',
      advice: expect.stringContaining('LOG_PARTITIONS=2'),
    })
    expect(await look(none)).toMatchObject({ verdict: 'ok', measured: expect.stringContaining('is not there yet') })
    expect(await look(none, { KAFKA_REPLICATION: '4' })).toMatchObject({
      verdict: 'fail',
      advice: expect.stringContaining('KAFKA_REPLICATION'),
    })
  }, 120_000)
})

describeWithRedis('Redis', () => {
  it('is asked for its version, with name and password', async () => {
    const redis = await startRedis(1, ['--requirepass', 'secret'])
    try {
      const { host } = new URL(redis.urls[0]!)
      const good = await doctor({ REDIS_URLS: `redis://default:secret@${host}` })
      expect(good.rows.get(`Redis ${host}`)).toMatchObject({
        verdict: 'ok',
        measured: expect.stringMatching(/^version \d+\..* round trip/),
      })
      const bad = await doctor({ REDIS_URLS: `redis://default:wrong@${host}` })
      expect(bad.rows.get(`Redis ${host}`)).toMatchObject({
        verdict: 'fail',
        advice: expect.stringContaining('REDIS_URLS'),
      })
    } finally {
      await redis.stop()
    }
  })
})

describeUnless(consulUnavailable(), 'Consul', () => {
  it('is asked who it is, by a token that may know it or not', async () => {
    const consul = await startConsul({ tokens: true })
    try {
      const look = async (token: string) =>
        (await doctor({ CONSUL_URL: consul.url, CONSUL_TOKEN: token })).rows.get('Consul')
      const rights = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }'
      expect(await look(await consul.token(`${rights} agent_prefix "" { policy = "read" }`))).toMatchObject({
        verdict: 'ok',
        measured: expect.stringMatching(/^version \d+\./),
      })
      // It is enough for a start.
      expect(await look(await consul.token(rights))).toMatchObject({
        verdict: 'ok',
        measured: expect.stringContaining('agent:read'),
      })
      expect(await look(randomUUID())).toMatchObject({
        verdict: 'fail',
        advice: expect.stringContaining('CONSUL_TOKEN'),
      })
    } finally {
      await consul.stop()
    }
  }, 120_000)
})

it('the collector is sent a request without spans', async () => {
  let status = 200
  const asked: unknown[] = []
  const collector = createServer(async (request, response) => {
    const body = await buffer(request)
    asked.push([
      request.method,
      request.url,
      request.headers['content-type'],
      request.headers.authorization,
      body.length,
    ])
    response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20x' }
    expect((await doctor(env)).rows.get('OTLP collector')).toMatchObject({ verdict: 'ok' })
    // An empty message of protobuf has no bytes.
    expect(asked).toEqual([['POST', '/v1/traces', 'application/x-protobuf', 'Basic x', 0]])
    status = 401
    const refused = (await doctor(env)).rows.get('OTLP collector')
    expect(refused).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('OTEL_EXPORTER_OTLP_HEADERS') })
  } finally {
    collector.close()
  }
})
