import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/* What has to be stopped or removed however the bench ends: in reverse order, each once. */
type Undo = () => Promise<void>
const undos = new Set<Undo>()
let ending = false

/** Remembers `undo` for the end of the run. The returned function runs it now instead. */
export function onEnd(undo: () => Promise<unknown>): Undo {
  let running: Promise<void> | undefined
  const once: Undo = () => {
    running ??= Promise.resolve(undo()).then(
      () => void undos.delete(once), // not before: the end waits for what runs already
      (error: unknown) => {
        undos.delete(once)
        throw error
      },
    )
    return running
  }
  undos.add(once)
  return once
}

/** Never throws: a failed clean-up is told on stderr and does not keep the others from running. */
export async function cleanUp(): Promise<void> {
  ending = true
  for (let last = [...undos].at(-1); last; last = [...undos].at(-1)) {
    await last().catch((error: unknown) => process.stderr.write(`clean-up: ${String(error)}\n`))
  }
}

/** A temporary folder, removed at the end or by `remove`. @throws Error when the bench is ending already. */
export function temporaryFolder(): { path: string; remove(): Promise<void> } {
  if (ending) throw new Error('the bench is ending')
  const path = mkdtempSync(join(tmpdir(), 'splitstream-bench-'))
  return { path, remove: onEnd(() => rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })) }
}

/** Something that is being started, and how to stop it: also when the end comes before it is ready. */
export async function started<T>(
  starting: Promise<T>,
  stop: (thing: T) => Promise<unknown>,
): Promise<{ thing: T; stop(): Promise<void> }> {
  const ready = starting.catch(() => undefined) // the caller hears of it from `starting`
  const end = onEnd(async () => {
    const thing = await ready
    if (thing !== undefined) await stop(thing)
  })
  return { thing: await starting, stop: end }
}
