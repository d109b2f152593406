import { setTimeout as delay } from 'node:timers/promises'
import type { Sql } from './barrier.ts'
import { Effects } from './databases.fixture.ts'
import type { Kit } from './planted.fixture.ts'
import { effectOf, randomMessages, Story } from './story.fixture.ts'
import { seeded } from './turns.fixture.ts'

/** The same stories on a server, where calls really run at once and meet at rows. Resolves with what was against the rules. */
export async function tellOnServer<Tx>(
  sql: Sql<Tx>,
  seed: number,
  { passBarrier }: Pick<Kit, 'passBarrier'>,
): Promise<readonly string[]> {
  const random = seeded(seed)
  const saga = `story-${seed}-${performance.now()}`
  const story = new Story()
  const effects = new Effects(sql)
  const observe = () => effects.inForce(saga)
  await Promise.all(
    randomMessages(saga, random).map(async (message) => {
      const waits = [random() * 10, random() * 5]
      const effect = effectOf<Tx>(message, async (tx, n, key) => {
        await effects.add(tx, saga, key, n)
        await delay(waits[1])
      })
      await delay(waits[0])
      const before = story.sent()
      const reply = await passBarrier(sql, message.call, { do: effect, undo: effect }).catch(() => undefined)
      await story.heard(message, before, message.fate === 'lost' ? undefined : reply, observe)
    }),
  )
  story.end(await observe(), await effects.keys(saga))
  return story.violations
}
