import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type EventsPlace, type ProcessRow, startFleet } from '../support/fleet.ts'
import { describeWithKafka, kafkaOfSuite } from '../support/kafka/suite.ts'
import { type OtlpReceiver, startReceiver } from '../support/otlp/receiver.ts'
import { openShop } from './traces/shop.ts'
import { chapters, tellTraces, traceIdOf } from './traces/story.ts'
import { treeOf } from './traces/tree.ts'

/** What the traces are like: node_modules/.bin/vitest run --project topology test/topology/traces.test.ts with UPDATE=1 writes it. */
const golden = new URL('./traces.golden.txt', import.meta.url)
const timeout = 120_000

const row = (...modules: ProcessRow['modules']): ProcessRow => ({ name: modules.join('-'), modules })
const one = [row('ingest', 'storage', 'query', 'sagas')]
const overHttp = [row('ingest', 'storage', 'sagas'), row('query')]
const halves = [row('ingest', 'query'), row('storage', 'sagas')]
const apart = [row('ingest'), row('storage'), row('query'), row('sagas')]

/** Tells the story to a fleet, and returns what its traces are like. */
async function traces(processes: readonly ProcessRow[], events: EventsPlace): Promise<{ text: string; topic: string }> {
  await using receiver = await startReceiver()
  await using shop = await openShop()
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_TRACES_SAMPLER_ARG: '0',
    SAGA_ALLOW_PRIVATE: '127.0.0.1',
  }
  const fleet = await startFleet({ processes, events, sharedClickHouse: true, env })
  try {
    const urlOf = fleet.urlFor
    const urls = { ingest: urlOf('ingest'), query: urlOf('query'), storage: urlOf('storage'), sagas: urlOf('sagas') }
    await tellTraces({ urls, key: fleet.adminKey, engineUrl: fleet.clickhouseUrl!, shop })
  } catch (error) {
    process.stderr.write(`${fleet.output().slice(-20_000)}\n`)
    throw error
  } finally {
    // With it the last spans come.
    await fleet.stop()
  }
  expect(receiver.problems).toEqual([])
  expectParents(receiver, shop.traces)
  return { text: textOf(receiver), topic: fleet.topic }
}

function textOf({ spans }: OtlpReceiver): string {
  const told = Object.entries(chapters).map(([chapter, title]) => {
    const trace = spans.filter(({ traceId }) => traceId === traceIdOf(chapter))
    return `${chapter}. ${title}\n\n${treeOf(trace)}\n`
  })
  expect(spans.filter(({ traceId }) => !Object.keys(chapters).some((one) => traceIdOf(one) === traceId))).toEqual([])
  return told.join('\n')
}

/** What a participant was given is the span of the very attempt that called it. */
function expectParents({ spans }: OtlpReceiver, traces: ReadonlyMap<string, readonly string[]>): void {
  const attempts = spans.filter(({ attributes }) => 'splitstream.saga.attempt' in attributes)
  const given = [...traces.values()].flat()
  expect(given.sort()).toEqual(attempts.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`).sort())
}

describe('a trace looks the same', () => {
  it(
    'in one process',
    async () => {
      const { text } = await traces(one, 'local')
      if (process.env.UPDATE) writeFileSync(golden, text)
      expect(text).toBe(readFileSync(golden, 'utf8'))
    },
    timeout,
  )

  it(
    'with a port over HTTP',
    async () => {
      expect((await traces(overHttp, 'local')).text).toBe(readFileSync(golden, 'utf8'))
    },
    timeout,
  )
})

describeWithKafka('a trace looks the same, over Kafka,', () => {
  const kafka = kafkaOfSuite()

  it.each([
    ['with all modules in one process', one],
    ['with two modules in each of two processes', halves],
    ['with each module in a process of its own', apart],
  ])(
    '%s',
    async (_, processes) => {
      const { text, topic } = await traces(processes, { brokers: kafka.brokers })
      kafka.topics.push(topic)
      expect(text).toBe(readFileSync(golden, 'utf8'))
    },
    timeout,
  )
})
