import { fasterOf, measureEngine } from './engine.ts'
import type { Figures } from './figures.ts'
import { betterOf, measureIngest } from './ingest.ts'
import { measureIdleMemory } from './memory.ts'
import type { Series } from './payload.ts'
import type { Plan } from './plan.ts'
import { measurePortCall } from './port-call.ts'
import { progress } from './progress.ts'
import { settle } from './settle.ts'
import { measureSingles } from './single.ts'
import { startSubject } from './subject.ts'
import { measureTelemetry } from './telemetry/measure.ts'
import { measureVisible } from './visible.ts'

/** Measures everything, one after the other: nothing else of the bench runs beside what is measured, nor merges of the figure before. */
export async function measureAll(plan: Plan): Promise<Figures> {
  // An hour ago: all events of all phases have times in the past.
  const series: Series = { tag: 'a', fromMs: Date.now() - 3_600_000 }
  progress('in-process port call')
  const portCall = await measurePortCall(plan)
  const sustained: Plan = { ...plan, events: plan.sustainedEvents }
  const before = await measureEngine(sustained, series)

  progress('starting the server')
  const subject = await startSubject()
  const idle = await measureIdleMemory(subject.server)
  progress(`memory: ${Math.round(idle.pssMib)} MiB, idle`)
  const first = await measureIngest(sustained, series, subject)
  progress('waiting until ClickHouse has merged them')
  await settle(subject)
  // Events of the present, as clients send them: older ones than the window of recent keys would each cost a look-up.
  const single = await measureSingles(plan, Date.now(), subject)
  await settle(subject)
  const visible = await measureVisible(plan, Date.now(), subject, first.stored / 2)
  progress('second start')
  const secondStartMs = await subject.restart()
  progress(`second start: ready after ${Math.round(secondStartMs)} ms`)
  await subject.end()
  // A machine that shares its cores gets slower and faster within minutes: neither is held to its one slow minute.
  const engine = fasterOf(before, await measureEngine(sustained, series))
  const fresh = await startSubject()
  const ingest = betterOf(first, await measureIngest(sustained, series, fresh))
  await fresh.end()
  const telemetry = await measureTelemetry(plan)
  return { engine, ingest, single, visible, idle, portCall, secondStartMs, telemetry }
}
