import { appends } from './scenario/appends.ts'
import { cancel } from './scenario/cancel.ts'
import { deadLetters } from './scenario/dead-letters.ts'
import { keys } from './scenario/keys.ts'
import { reads } from './scenario/reads.ts'
import { restarts, restartsLive } from './scenario/restarts.ts'
import { sagas } from './scenario/sagas.ts'
import { stall } from './scenario/stall.ts'
import { type Installation, Story, type Told } from './scenario/story.ts'
import { tail } from './scenario/tail.ts'

export type { Installation, Told } from './scenario/story.ts'

/**
 * A day in the life of an installation, told by its clients: they know addresses and keys, and nothing of what runs where.
 * @returns everything that they were answered, without what differs from run to run: the same for every installation
 * @throws AssertionError or Error at the first answer that is not what was promised
 */
export function scenario(place: Installation): Promise<readonly Told[]> {
  return tell(place, [appends, reads, tail, deadLetters, sagas, cancel, stall, restartsLive])
}

/** The part of it in which all that runs says to each other what it has to say. */
export function exchange(place: Installation): Promise<readonly Told[]> {
  return tell(place, [appends, reads, deadLetters])
}

/** The same, and then every process goes and comes back while clients write and read. */
export function exchangeAndRestarts(place: Installation): Promise<readonly Told[]> {
  return tell(place, [appends, reads, deadLetters, restarts])
}

async function tell(
  place: Installation,
  steps: readonly ((story: Story) => Promise<void>)[],
): Promise<readonly Told[]> {
  const story = new Story(place, await keys(place))
  for (const step of steps) await step(story)
  return story.told
}
