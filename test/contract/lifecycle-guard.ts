import { AppError, type Call, type PortMethod } from '@splitstream/kernel'
import { type Sample, samplePort } from './sample-port.ts'

/**
 * Stop and start of a callee in the same process, as modules do it themselves there: STOPPING while calls that run come
 * to their end, UNAVAILABLE after. Also loses an answer on request: the effect is there, the caller cannot know.
 */
export class LifecycleGuard {
  readonly guarded: Sample
  #state: 'running' | 'stopping' | 'stopped' = 'running'
  #loseNext = false
  readonly #running = new Set<Promise<unknown>>()

  constructor(callee: Sample) {
    const guarded: Record<string, PortMethod> = {}
    for (const name of Object.keys(samplePort.methods)) {
      const run = callee[name as keyof Sample].bind(callee) as PortMethod
      guarded[name] = (input, call) => this.#run(run, input, call)
    }
    this.guarded = guarded as unknown as Sample
  }

  loseNextAnswer(): void {
    this.#loseNext = true
  }

  async stop(): Promise<void> {
    this.#state = 'stopping'
    await Promise.allSettled(this.#running)
    this.#state = 'stopped'
  }

  start(): void {
    this.#state = 'running'
  }

  async #run(run: PortMethod, input: never, call: Call): Promise<unknown> {
    if (this.#state === 'stopping') throw new AppError('STOPPING', 'The module stops')
    if (this.#state === 'stopped') throw new AppError('UNAVAILABLE', 'The module is stopped')
    const running = run(input, call)
    this.#running.add(running)
    try {
      const answer = await running
      if (!this.#loseNext) return answer
      this.#loseNext = false
      throw new AppError('UNKNOWN_OUTCOME', 'The answer was lost')
    } finally {
      this.#running.delete(running)
    }
  }
}
