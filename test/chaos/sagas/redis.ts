import { setTimeout as delay } from 'node:timers/promises'
import type { RedisServer } from '../../support/redis/start.ts'
import { until } from './installation.ts'
import type { Part } from './place.ts'
import { connections, votes } from './redis-use.ts'
import { runSagas } from './run.ts'

/** Sagas that want the same few locks. */
const locked = { kind: 'locked', character: { guard: 'keys' }, endsWithinMs: 30_000 } as const

/** Two of three Redis nodes are wiped, again and again, while sagas want the same locks: no two ever hold one. */
const runWiped: Part = async ({ redis, installation }, seed, findings) => {
  let wiped = 0
  let asked = 0
  const { ended, looks } = await runSagas(
    installation,
    { ...locked, prefix: 'redis-', seed, orders: 28 },
    findings,
    async ({ started, rows }) => {
      let over = false
      const running = started.then(async () => {
        while ((await rows.open()) > 0 && wiped < 40) await delay(50)
        over = true
      })
      while (!over) {
        // What a node has counted is wiped with it.
        asked += await votes(redis)
        for (const node of redis.servers.slice(wiped % 2, (wiped % 2) + 2)) {
          await node.kill()
          await node.start()
        }
        wiped++
        await delay(150)
      }
      await running
    },
  )
  if (asked === 0) findings.add('Redis was never asked', 'while its nodes were wiped')
  if (wiped === 0) findings.add('Redis was never wiped', '')
  return { wiped, asked, ended, looks }
}

interface Outage {
  readonly begin: (node: RedisServer) => Promise<void>
  readonly end: (node: RedisServer) => Promise<void>
}

const outages: Readonly<Record<string, Outage>> = {
  'Redis dead': { begin: (node) => node.kill(), end: (node) => node.start() },
  'Redis frozen': { begin: (node) => node.pause(), end: (node) => node.resume() },
}

const orders = 60
/** So many have ended before Redis comes back, and the others go on beside that. */
const without = 30
const withoutMs = 25_000

/** All three nodes are away at once: sagas with locks end as ever, go on while the nodes come back, and ask them again then. */
function runOutage(name: string, outage: Outage): Part {
  return async ({ redis, installation }, seed, findings) => {
    const askedMore = async (than: number): Promise<boolean> => (await votes(redis)) > than
    const before = await votes(redis)
    const { ended, looks, meanwhile } = await runSagas(
      installation,
      { ...locked, prefix: `${name}-`, seed, orders },
      findings,
      async ({ rows }) => {
        if (!(await until(() => askedMore(before), 10_000))) findings.add('Redis was never asked', 'before it went')
        const endedSoFar = async (): Promise<number> => (await rows.all()).length - (await rows.open())
        await Promise.all(redis.servers.map(outage.begin))
        const [from, began] = [await endedSoFar(), performance.now()]
        const enough = await until(async () => (await endedSoFar()) >= from + without, withoutMs)
        const endedWithout = (await endedSoFar()) - from
        if (!enough) findings.add('sagas waited for Redis', `${endedWithout} ended without it in ${withoutMs} ms`)
        const withoutRedisMs = Math.round(performance.now() - began)
        await Promise.all(redis.servers.map(outage.end))
        return { endedWithout, withoutRedisMs }
      },
    )
    const isBack = await until(async () => (await connections(redis)) > installation.alive.length, 15_000)
    if (!isBack) findings.add('Redis came back, and workers did not', `${await connections(redis)} connections`)
    const between = await votes(redis)
    const after = await runSagas(
      installation,
      { ...locked, prefix: `after ${name}-`, seed, orders: 20 },
      findings,
      async ({ started }) => await started,
    )
    if (!(await askedMore(between))) findings.add('Redis was never asked', 'after it came back')
    return { ...meanwhile, ended, after: after.ended, looks: looks + after.looks }
  }
}

export const redisParts: Readonly<Record<string, Part>> = {
  'Redis wiped': runWiped,
  ...Object.fromEntries(Object.entries(outages).map(([name, outage]) => [name, runOutage(name, outage)])),
}
