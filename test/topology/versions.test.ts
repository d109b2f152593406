import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EventsPlace, type Fleet, type ProcessRow, startFleet } from '../support/fleet.ts'
import { describeWithKafka, kafkaOfSuite } from '../support/kafka/suite.ts'
import { type PreviousBuild, previousBuild, previousBuildUnavailable } from '../support/previous-build.ts'
import { describeUnless } from '../support/suite.ts'
import { exchange, exchangeAndRestarts, type Installation } from './scenario.ts'
import { urlsOf } from './urls.ts'

let previous: PreviousBuild

function installation(fleet: Fleet, tenant: string, restartAll: () => Promise<void>): Installation {
  return {
    urls: urlsOf(fleet),
    // The earlier version has no sagas.
    participants: { url: 'http://127.0.0.1:9', ledger: () => [] },
    engineUrl: fleet.clickhouseUrl!,
    operatorKey: fleet.adminKey,
    tenant,
    restartAll,
  }
}

/**
 * The first process is of the earlier version and the others of the present one; then they change places, one after another, while
 * clients write and read; then the other way round. The same clients are answered the same. @returns the topic
 */
async function upgradeAndBack([first, ...others]: readonly ProcessRow[], events: EventsPlace): Promise<string> {
  const earlier = { ...first!, build: previous.folder }
  await using fleet = await startFleet({ processes: [earlier, ...others], events, sharedClickHouse: true })
  const exchangePlaces = async (): Promise<void> => {
    const [one, ...rest] = fleet.processes
    await one!.become(undefined)
    for (const process of rest) await process.become(previous.folder)
  }
  try {
    const told = await exchangeAndRestarts(installation(fleet, 'acme', exchangePlaces))
    const after = await exchange(installation(fleet, 'other', exchangePlaces))
    expect(after).toEqual(told)
  } catch (error) {
    process.stderr.write(`${fleet.output().slice(-20_000)}\n`)
    throw error
  }
  return fleet.topic
}

describeUnless(await previousBuildUnavailable(), 'two versions', () => {
  beforeAll(async () => {
    previous = await previousBuild()
  })
  afterAll(() => previous?.remove())

  it('over HTTP', { timeout: 180_000 }, async () => {
    const processes: ProcessRow[] = [
      { name: 'writer', modules: ['ingest', 'storage'] },
      { name: 'reader', modules: ['query'] },
    ]
    await upgradeAndBack(processes, 'local')
  })

  describeWithKafka('with Kafka', () => {
    const kafka = kafkaOfSuite()

    it('over HTTP and Kafka', { timeout: 180_000 }, async () => {
      const processes: ProcessRow[] = [
        { name: 'front', modules: ['ingest', 'query'] },
        { name: 'store', modules: ['storage'] },
      ]
      kafka.topics.push(await upgradeAndBack(processes, { brokers: kafka.brokers }))
    })
  })
})
