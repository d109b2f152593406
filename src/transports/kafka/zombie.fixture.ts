/*
 * A member of a group in a process of its own, for a test to freeze: node zombie.fixture.ts BROKERS TOPIC GROUP SESSION_MS.
 * It holds its lanes and commits the same offset over and over, and tells on stdout what becomes of it. When all of its lanes
 * have ended, it ends too, before it gets others.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, silentLogger, systemClock } from '@splitstream/kernel'
import { Asker } from './asker.ts'
import { Brokers } from './brokers.ts'
import { kafkaClient } from './client.ts'
import { KafkaGroup } from './consumer.ts'
import { plainAccess } from './kafka.fixture.ts'
import { placeOf } from './places.ts'

const [brokers = '', topic = '', group = '', sessionMs = ''] = process.argv.slice(2)
const kafka = kafkaClient(new Brokers(brokers.split(',')), plainAccess(), 'splitstream-zombie', silentLogger)
const asker = new Asker(kafka)
const common = { kafka, asker, topic, group, partitions: 4, clock: systemClock, logger: silentLogger }
const ended = new Set<number>()
const tell = (what: string, partition: number): void => void process.stdout.write(`${what} ${partition}\n`)

new KafkaGroup({ ...common, sessionMs: Number(sessionMs) }, async (lane) => {
  while (!lane.signal.aborted) {
    try {
      await lane.commit(placeOf(1))
      tell('committed', lane.partition)
    } catch (error) {
      tell(`refused:${codeOf(error)}`, lane.partition)
    }
    await delay(50)
  }
  tell('ended', lane.partition)
  if (ended.add(lane.partition).size === common.partitions) process.exit()
}).start()
