import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresTx } from '@splitstream/kernel'
import type { Sql } from './barrier.ts'
import type { Kit } from './planted.fixture.ts'
import { effectOf, randomMessages, Story } from './story.fixture.ts'
import { seeded } from './turns.fixture.ts'

/** The same stories on Postgres, where calls really run at once and meet at rows. Resolves with what was against the rules. */
export async function tellOnPostgres(
  sql: Sql<PostgresTx>,
  seed: number,
  { passBarrier }: Pick<Kit, 'passBarrier'>,
): Promise<readonly string[]> {
  const random = seeded(seed)
  const saga = `story-${seed}-${performance.now()}`
  const story = new Story()
  const rows = <T>(text: string) => sql.tx((tx) => tx.query<T>(text, [saga]))
  const observe = async () =>
    (await rows<{ n: number }>('SELECT coalesce(sum(n), 0)::int AS n FROM effects WHERE saga = $1'))[0]!.n
  await Promise.all(
    randomMessages(saga, random).map(async (message) => {
      const waits = [random() * 10, random() * 5]
      const effect = effectOf<PostgresTx>(message, async (tx, n, key) => {
        await tx.query('INSERT INTO effects VALUES ($1, $2, $3)', [saga, key, n])
        await delay(waits[1])
      })
      await delay(waits[0])
      const before = story.sent()
      const reply = await passBarrier(sql, message.call, { do: effect, undo: effect }).catch(() => undefined)
      await story.heard(message, before, message.fate === 'lost' ? undefined : reply, observe)
    }),
  )
  const keys = await rows<{ key: string }>('SELECT key FROM effects WHERE saga = $1')
  story.end(
    await observe(),
    keys.map(({ key }) => key),
  )
  return story.violations
}
