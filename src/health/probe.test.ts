import { expect, it } from 'vitest'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import { EngineHealth } from './engine-health.ts'
import { Probe } from './probe.ts'

function start(own: boolean) {
  const clock = new ManualClock()
  let answer: () => Promise<unknown> = async () => undefined
  const probe = new Probe('The server', clock, () => answer())
  const engine = new EngineHealth(probe, own, clock)
  const round = async (ms = 1_000) => {
    const ended = probe.tick()
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(ms)
    await ended
  }
  const health = () => engine.health(clock.monotonic())
  const answers = (next: typeof answer) => {
    answer = next
  }
  return { clock, probe, engine, round, health, answers }
}

const refused = () => Promise.reject(new Error('refused'))
const hangs = () => new Promise<never>(() => {})

it('believes an outage when two questions in a row fail, and its end at once', async () => {
  const { round, health, answers } = start(false)
  await round()
  answers(refused)
  await round()
  expect(health()).toEqual({ state: 'ok' })
  await round()
  expect(health()).toEqual({ state: 'degraded', reason: 'The server does not answer: refused, for 2 s' })
  answers(async () => undefined)
  await round()
  expect(health()).toEqual({ state: 'ok' })
})

it('waits for no answer for longer than 1.5 s, and asks one question at a time', async () => {
  const { clock, probe, round, health, answers } = start(false)
  let asked = 0
  answers(() => {
    asked++
    return hangs()
  })
  const first = probe.tick()
  await probe.tick()
  expect(asked).toBe(1)
  clock.advance(1_500)
  await first
  await round(1_500)
  expect(health().reason).toBe('The server does not answer: nothing within 1500 ms, for 3 s')
})

it('never says of a server elsewhere that this process is down for it', async () => {
  const { round, health, answers } = start(false)
  answers(refused)
  for (let i = 0; i < 600; i++) await round()
  expect(health().state).toBe('degraded')
})

it('is down with a child of its own that does not come back within 10 s', async () => {
  const { round, health, answers } = start(true)
  answers(refused)
  for (let i = 0; i < 9; i++) await round()
  expect(health().state).toBe('degraded')
  await round()
  expect(health()).toEqual({ state: 'down', reason: 'The server does not answer: refused, for 10 s' })
})

it('is down with a child that ends three times within 30 s, for as long', async () => {
  const { clock, engine, health } = start(true)
  for (const ms of [0, 10_000, 15_000]) {
    clock.advance(ms)
    engine.ended()
  }
  expect(health()).toEqual({ state: 'down', reason: 'it ended 3 times within 30 s' })
  clock.advance(4_999)
  expect(health().state).toBe('down')
  clock.advance(1)
  expect(health().state).toBe('ok')
})

it('takes a server that is short of something for away, for a while', () => {
  const { clock, probe, health } = start(true)
  probe.note('MEMORY_LIMIT_EXCEEDED', 6_000)
  expect(health()).toEqual({ state: 'degraded', reason: 'The server: MEMORY_LIMIT_EXCEEDED' })
  clock.advance(6_000)
  expect(health()).toEqual({ state: 'ok' })
})
