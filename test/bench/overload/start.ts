import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onEnd } from '../cleanup.ts'
import { nextMessage } from '../next-message.ts'
import type { FromGenerator, Load, LoadResult, ToGenerator } from './job.ts'

const entry = fileURLToPath(new URL('./generator.ts', import.meta.url))

/** Runs a load in a process of its own. @throws Error with what the generator said */
export async function runLoad(load: Load): Promise<LoadResult> {
  const child = fork(entry, [], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const end = onEnd(async () => child.kill('SIGKILL'))
  try {
    child.send({ kind: 'load', load } satisfies ToGenerator)
    await nextMessage<FromGenerator>(child)
    child.send({ kind: 'go' } satisfies ToGenerator)
    const message = await nextMessage<FromGenerator>(child)
    if (message.kind !== 'result') throw new Error(`the load generator said ${message.kind}`)
    return message.result
  } finally {
    await end()
  }
}
