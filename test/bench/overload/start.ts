import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onEnd } from '../cleanup.ts'
import type { FromGenerator, Load, LoadResult, ToGenerator } from './job.ts'

const entry = fileURLToPath(new URL('./generator.ts', import.meta.url))

/** Runs a load in a process of its own. @throws Error with what the generator said */
export async function runLoad(load: Load): Promise<LoadResult> {
  const child = fork(entry, [], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const end = onEnd(async () => child.kill('SIGKILL'))
  try {
    child.send({ kind: 'load', load } satisfies ToGenerator)
    await next(child)
    child.send({ kind: 'go' } satisfies ToGenerator)
    const message = await next(child)
    if (message.kind !== 'result') throw new Error(`the load generator said ${message.kind}`)
    return message.result
  } finally {
    await end()
  }
}

async function next(child: ChildProcess): Promise<FromGenerator> {
  const { promise, resolve, reject } = Promise.withResolvers<FromGenerator>()
  const onExit = (code: number | null): void => reject(new Error(`the load generator exited (${code})`))
  child.once('message', resolve).once('exit', onExit)
  const message = await promise.finally(() => child.off('message', resolve).off('exit', onExit))
  if (message.kind === 'failed') throw new Error(`the load failed: ${message.message}`)
  return message
}
