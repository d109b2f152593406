import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Takes one text of a file of the kit, which must be there exactly once, and puts another in its place. */
export interface Edit {
  readonly file: 'barrier.ts' | 'participant.ts'
  readonly from: string
  readonly to: string
}

export type Kit = Pick<typeof import('./participant.ts'), 'participant'> &
  Pick<typeof import('./barrier.ts'), 'passBarrier'>

/** The kit itself, with bugs planted: a copy of its files, edited and imported. */
export async function plantBugs(edits: readonly Edit[]): Promise<Kit> {
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-planted-'))
  try {
    const here = dirname(fileURLToPath(import.meta.url))
    for (const file of ['barrier.ts', 'participant.ts', 'request.ts', 'signature.ts'])
      await cp(join(here, file), join(folder, file))
    for (const { file, from, to } of edits) {
      const [before, after, ...more] = (await readFile(join(folder, file), 'utf8')).split(from)
      if (before === undefined || after === undefined || more.length > 0)
        throw new Error(`${file} should hold exactly once: ${from}`)
      await writeFile(join(folder, file), before + to + after)
    }
    const load = async (file: string) =>
      (await import(/* @vite-ignore */ pathToFileURL(join(folder, file)).href)) as Kit
    const [{ passBarrier }, { participant }] = await Promise.all([load('barrier.ts'), load('participant.ts')])
    return { passBarrier, participant }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
