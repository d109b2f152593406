import { prepareLoad } from './fork.ts'
import type { Series } from './payload.ts'
import type { Plan } from './plan.ts'
import { cpuSeconds, idleSeconds, peakRssMib, resetPeak } from './proc.ts'
import { progress } from './progress.ts'
import { cpuByPart, type Subject } from './subject.ts'

export interface IngestFigures {
  /** Events per second. */
  readonly acknowledged: number
  readonly stored: number
  /** Mean size of an event as sent, bytes. */
  readonly eventBytes: number
  readonly refused: number
  /** Highest resident size of the server's main process meanwhile, MiB. */
  readonly peakMib: number
  /** CPU time for an event, from the first request until everything was stored, by process, µs. */
  readonly cpuMicros: Readonly<Record<string, number>>
  /** Cores that were idle meanwhile. */
  readonly idleCores: number
}

/** The faster of two, with the greater need of memory of both. */
export const betterOf = (a: IngestFigures, b: IngestFigures): IngestFigures => ({
  ...(a.stored > b.stored ? a : b),
  peakMib: Math.max(a.peakMib, b.peakMib),
})

/** Figure 1: batches as fast as the server takes them. */
export async function measureIngest(plan: Plan, series: Series, { server }: Subject): Promise<IngestFigures> {
  progress(`ingest: building ${plan.events} events`)
  const { url, adminKey: key } = server
  const { events, warmUpEvents, inFlight } = plan
  const load = await prepareLoad({ kind: 'batches', url, key, series, events, warmUpEvents, inFlight })
  resetPeak(server.pid)
  const before = { ...cpuByPart(server), 'load generator': cpuSeconds(load.pid) }
  const idle = idleSeconds()
  progress('ingest: sending')
  // It ends with its answer, so its CPU time is read as it goes.
  let generatorCpu = before['load generator']
  const watch = setInterval(() => {
    generatorCpu = Math.max(generatorCpu, cpuSeconds(load.pid))
  }, 50)
  const result = await load.run().finally(() => clearInterval(watch))
  const idleAfter = idleSeconds()
  const after: Record<string, number> = { ...cpuByPart(server), 'load generator': generatorCpu }
  const idleCores = (idleAfter - idle) / (result.storedMs / 1000)
  const cpuMicros = Object.fromEntries(
    Object.entries(before).map(([part, cpu]) => [part, (((after[part] ?? cpu) - cpu) * 1e6) / result.events]),
  )
  const figures = {
    acknowledged: (result.events * 1000) / result.acknowledgedMs,
    stored: (result.events * 1000) / result.storedMs,
    eventBytes: result.eventBytes,
    refused: result.refused,
    peakMib: peakRssMib(server.pid),
    cpuMicros,
    idleCores,
  }
  progress(
    `ingest: ${Math.round(figures.acknowledged)} events/s acknowledged, ${Math.round(figures.stored)} events/s stored`,
  )
  return figures
}
