import { type AppError, systemCall } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { ManualClock } from '../../../discovery/manual-clock.fixture.ts'
import { Heartbeat } from './heartbeat.ts'

const never = new AbortController().signal
const turn = () => new Promise((resolve) => setImmediate(resolve))
const hangs = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
const refuses = () => Promise.reject(new Error('refused'))
const answers = async () => undefined

/** Each question meets the next of `pings`, and the last of them from then on. */
function start(...pings: ((signal: AbortSignal) => Promise<unknown>)[]) {
  const clock = new ManualClock()
  const ping = (signal: AbortSignal) => (pings.length > 1 ? pings.shift()! : pings[0]!)(signal)
  const heartbeat = new Heartbeat('The server', ping, clock)
  const pass = async (ms: number) => {
    clock.advance(ms)
    await turn()
  }
  const run = (work: (signal: AbortSignal) => Promise<unknown> = hangs) =>
    heartbeat
      .whileItBeats(systemCall(clock, 120_000, never), ({ signal }) => work(signal))
      .then(String, (error: AppError) => `${error.code}: ${error.message}`)
  return { heartbeat, pass, run }
}

it('ends what runs on a server that says nothing for 3 s, and lets it run again once it answers', async () => {
  const { heartbeat, pass, run } = start(hangs, answers)
  const running = run()
  const asked = heartbeat.ask(never)
  await pass(249)
  expect(heartbeat.inDoubt).toBe(false)
  await pass(1)
  expect(heartbeat.inDoubt).toBe(true)
  await pass(2_750)
  expect(heartbeat.gone).toBeUndefined()
  await pass(100)
  await asked
  const gone = 'UNAVAILABLE: The server does not answer: nothing within 3000 ms'
  expect(await running).toBe(gone)
  expect(await run(async () => 'not called')).toBe(gone)
  await heartbeat.ask(never)
  expect(heartbeat.inDoubt).toBe(false)
  expect(await run(async () => 'done')).toBe('done')
})

it('takes one broken connection for nothing, and two refusals in a row for what they are', async () => {
  const { heartbeat } = start(refuses, answers, refuses)
  await heartbeat.ask(never)
  expect(heartbeat.gone).toBeUndefined()
  await heartbeat.ask(never)
  expect(heartbeat.gone?.message).toBe('The server does not answer: refused')
})

it('blames nobody for a stall of its own process: the answer is there afterwards', async () => {
  const answered = Promise.withResolvers<void>()
  const { heartbeat, pass } = start(() => answered.promise)
  const asked = heartbeat.ask(never)
  await pass(20_000)
  answered.resolve()
  await asked
  expect(heartbeat.gone).toBeUndefined()
})

it('hands on what its caller and the work end with', async () => {
  const { run } = start(answers)
  expect(await run(refuses)).toBe('undefined: refused')
})
