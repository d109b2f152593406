/* The load generator, a process of its own: takes a job, builds its requests, waits for the word, and runs it. */
import { prepareBatches } from './batches.ts'
import type { FromGenerator, Job, ToGenerator } from './job.ts'
import { prepareSingles } from './singles.ts'

const say = (message: FromGenerator): boolean => process.send!(message)
let run: (() => Promise<void>) | undefined

/** Everything that costs time ahead of the measurement happens here. */
async function prepare(job: Job): Promise<void> {
  const work = await workOf(job)
  run = async () => {
    say({ kind: 'result', result: await work() })
  }
  say({ kind: 'prepared' })
}

async function workOf(job: Job) {
  if (job.kind === 'batches') return prepareBatches(job)
  if (job.kind === 'singles') return prepareSingles(job)
  // Loaded where it is wanted: it brings Kafka's client along.
  const { prepareAppends } = await import('./split/appends.ts')
  return prepareAppends(job)
}

const failed = (error: unknown): void => {
  say({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}

process.on('message', (message: ToGenerator) => {
  if (message.kind === 'job') prepare(message.job).catch(failed)
  else run?.().catch(failed)
})
process.on('disconnect', () => process.exit())
