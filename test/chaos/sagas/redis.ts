import { setTimeout as delay } from 'node:timers/promises'
import type { Part } from './place.ts'
import { runSagas } from './run.ts'

/** Sagas that want the same few locks, while two of three Redis nodes are wiped, again and again: no two ever hold one. */
export const runRedisWiped: Part = async ({ redis, installation }, seed, findings) => {
  let wiped = 0
  const { ended, looks } = await runSagas(
    installation,
    {
      prefix: 'redis-',
      seed,
      orders: 160,
      only: ({ kind }) => kind === 'locked',
      character: { guard: 'keys' },
      endsWithinMs: 30_000,
    },
    findings,
    async ({ started, rows }) => {
      let over = false
      const running = started.then(async () => {
        while ((await rows.open()) > 0 && wiped < 40) await delay(50)
        over = true
      })
      while (!over) {
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
  return { wiped, ended, looks }
}
