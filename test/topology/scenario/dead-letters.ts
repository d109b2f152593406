import { expect } from 'vitest'
import { Engine } from './engine.ts'
import { event, outcome, type Receipt, type Story } from './story.ts'

interface Letter {
  readonly id: string
  readonly code: string
  readonly replayedAt: string | null
  readonly event: object
}

/**
 * An event that ingest takes and the engine refuses: a constraint on the table, of which nobody else knows. It becomes a dead
 * letter, its neighbours are stored, and after the mend it is replayed, once.
 */
export async function deadLetters(story: Story): Promise<void> {
  const { ingest, deadLetters, place, acknowledged } = story
  const engine = new Engine(place.engineUrl)
  const list = async (): Promise<readonly Letter[]> =>
    (await deadLetters.ask<{ deadLetters: Letter[] }>('GET', '/v1/dead-letters')).json.deadLetters
  const found = async (after?: string): Promise<string[]> => {
    const { events } = await story.events({ subject: 'poisoned', ...(after !== undefined && { after }) })
    return events.map(({ id }) => id).sort()
  }
  const poison = event('poison', { subject: 'poisoned', type: 'poison' })

  await engine.run(`ALTER TABLE events ADD CONSTRAINT no_poison CHECK type != 'poison'`)
  const body = [event('before', { subject: 'poisoned' }), poison, event('behind', { subject: 'poisoned' })].join('\n')
  const sent = await ingest.ask<Receipt>('POST', '/v1/events?wait=stored', { body, type: 'application/x-ndjson' })
  story.tell('with a poison', outcome(sent.json))
  // Not sent again without a position, as other events are: each time would be a letter. A letter is the last that comes of them.
  if (sent.json.position === null) await expect.poll(async () => (await list()).length, { timeout: 30_000 }).toBe(1)
  expect(await found()).toEqual(['before', 'behind'])
  const [letter, ...others] = await list()
  expect(others).toEqual([])
  expect(letter).toMatchObject({ code: 'VIOLATED_CONSTRAINT', replayedAt: null, event: JSON.parse(poison) })
  story.tell('the letter', [letter!.code, letter!.event])

  const replay = async (dryRun: boolean) => {
    const ask = { body: JSON.stringify({ ids: [letter!.id], dryRun }) }
    const { status, json } = await deadLetters.ask<{ found: number; replayable: number; receipt?: Receipt }>(
      'POST',
      '/v1/dead-letters/replay',
      ask,
    )
    const receipt = json.receipt && outcome(json.receipt)
    story.tell(`replay, dry run ${dryRun}`, [status, json.found, json.replayable, receipt])
    return json.receipt?.position ?? undefined
  }
  await replay(true)
  expect(await found()).toEqual(['before', 'behind'])
  await engine.run('ALTER TABLE events DROP CONSTRAINT no_poison')
  await replay(false)
  const mended = ['before', 'behind', 'poison']
  const position = await replay(false)
  // Without one it waits until the log takes it.
  if (position === undefined) await expect.poll(() => found(), { timeout: 30_000 }).toEqual(mended)
  expect(await found(position)).toEqual(mended)
  expect((await list())[0]!.replayedAt).not.toBeNull()
  for (const id of mended) acknowledged.add(id)
}
