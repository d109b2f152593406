import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onEnd } from './cleanup.ts'
import type { FromGenerator, Job, ResultOf, ToGenerator } from './job.ts'
import { nextMessage } from './next-message.ts'

const entry = fileURLToPath(new URL('./generator.ts', import.meta.url))

/** A load generator that has built its requests. */
export interface Load<J extends Job> {
  readonly pid: number
  /** Runs the job, then ends the process. @throws Error with what the generator said. */
  run(): Promise<ResultOf<J>>
}

/** Starts a load generator and resolves once its requests are built and its warm-up is over. */
export async function prepareLoad<J extends Job>(job: J): Promise<Load<J>> {
  const child = fork(entry, [], { execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=4096'] })
  const end = onEnd(async () => child.kill('SIGKILL'))
  const prepared = nextMessage<FromGenerator>(child)
  child.send({ kind: 'job', job } satisfies ToGenerator)
  await prepared
  return {
    pid: child.pid ?? 0,
    run: async () => {
      const answer = nextMessage<FromGenerator>(child)
      child.send({ kind: 'go' } satisfies ToGenerator)
      const message = await answer
      await end()
      if (message.kind !== 'result') throw new Error(`the load generator said ${message.kind}`)
      return message.result as ResultOf<J> // the generator answers a job with the result of its kind
    },
  }
}
