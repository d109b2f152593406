import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Client, NoAnswer } from './client.ts'
import type { Findings } from './findings.ts'
import { isRightlyRefused } from './load.ts'
import { type ServerProcesses, signal } from './processes.ts'
import { Random } from './random.ts'
import { judgeReadiness, ReadinessWatch } from './readiness.ts'
import type { Victim } from './server.ts'
import { Session } from './session.ts'
import { inPlace, judge, type Place } from './trial.ts'

interface Outage {
  /** Called again and again while the outage holds; takes its own time. */
  disturb(processes: () => ServerProcesses): Promise<void>
  /** Undoes what the last `disturb` may have left. */
  heal(processes: () => ServerProcesses): void
  /** Statuses that a query may have meanwhile. 503 and 504 must come with Retry-After. */
  readonly queries: readonly number[]
  /** Within which the process is no more ready, ms (docs/health.md); undefined: it stays ready. */
  readonly redWithinMs?: number
}

/** Red within 15 s: an embedded engine that does not stay up. Green at the latest when it has not ended three times within 30 s. */
const [loopRedMs, greenMs] = [15_000, 30_000]
/** For so long it has to be ready, before the outage and after, ms. */
const calmMs = 3_000

const killAgain = (find: (p: ServerProcesses) => { pid: number } | undefined): Outage['disturb'] => {
  return async (processes) => {
    const found = find(processes())
    if (found) signal(found.pid, 'SIGKILL')
    await delay(50)
  }
}

export const outages = {
  'postgres-down': {
    disturb: killAgain((p) => p.postmaster),
    heal: () => {},
    queries: [200, 503],
    redWithinMs: loopRedMs,
  },
  'engine-down': { disturb: killAgain((p) => p.clickhouse), heal: () => {}, queries: [503], redWithinMs: loopRedMs },
  'engine-slow': {
    async disturb(processes) {
      const { clickhouse } = processes()
      if (clickhouse) signal(clickhouse.pid, 'SIGSTOP')
      await delay(900)
      if (clickhouse) signal(clickhouse.pid, 'SIGCONT')
      await delay(100)
    },
    heal(processes) {
      const { clickhouse } = processes()
      if (clickhouse) signal(clickhouse.pid, 'SIGCONT')
    },
    queries: [200, 503, 504],
  },
} as const satisfies Record<string, Outage>

export interface OutageOptions {
  readonly from: number
  readonly eventsPerSecond: number
  readonly holdMs: number
  readonly keep: boolean
}

/** A dependency is away or slow while events come in: ingest goes on, queries say so, everything is stored afterwards. */
export async function runOutage(name: keyof typeof outages, o: OutageOptions): Promise<number> {
  const outage: Outage = outages[name]
  const passed = await inPlace({ name, keep: o.keep }, async (place) => {
    const passed = await judge({ outage: name, holdMs: o.holdMs }, (findings) => runOnce(outage, place, o, findings))
    outage.heal(() => place.victim.processes)
    return passed
  })
  return passed ? 0 : 1
}

async function runOnce(outage: Outage, place: Place, o: OutageOptions, findings: Findings) {
  const { victim } = place
  const { eventsPerSecond } = o
  await using session = await Session.start(place, { name: `${o.from}`, random: new Random(o.from), eventsPerSecond })
  session.load.onAnswer = (answer, batch) => {
    if (answer.status !== 202 && !isRightlyRefused(answer, batch))
      findings.add('ingest did not go on', `${answer.status} ${answer.text.slice(0, 200)}`)
  }
  await using readiness = new ReadinessWatch(victim.url)
  await delay(calmMs)

  let holding = true
  const struck = performance.now()
  const held = (async () => {
    while (holding) await outage.disturb(() => victim.processes)
    outage.heal(() => victim.processes)
  })()
  const queries = new Map<string, number>()
  const until = performance.now() + o.holdMs
  await delay(1_000) // a query that the outage catches half way may end either way
  while (performance.now() < until) {
    await delay(500)
    const answer = await probe(victim)
    const what = answer ? String(answer.status) : 'none'
    queries.set(what, (queries.get(what) ?? 0) + 1)
    if (answer && outage.queries.includes(answer.status) && (answer.status < 500 || answer.headers['retry-after']))
      continue
    findings.add(
      'a query was answered otherwise',
      answer ? `${answer.status} ${answer.text.slice(0, 200)}` : 'no answer',
    )
  }
  holding = false
  await held
  const healed = performance.now()
  await readiness.untilReadyFor(calmMs, greenMs + calmMs)
  const promised = { struck, healed, redWithinMs: outage.redWithinMs, greenWithinMs: greenMs }
  const ready = judgeReadiness(await readiness.stop(), promised, findings)

  const verdict = await session.verify(findings, { drainMs: 120_000 })
  return { ...verdict, queries: Object.fromEntries(queries), ready }
}

async function probe(victim: Victim): Promise<Answer | undefined> {
  const client = new Client(victim.url, victim.adminKey)
  try {
    const body = Buffer.from(JSON.stringify({ measures: [{ fn: 'count', as: 'n' }] }))
    const headers = { 'content-type': 'application/json' }
    return await client.send('POST', '/v1/query', { body, headers, timeoutMs: 35_000 })
  } catch (error) {
    if (error instanceof NoAnswer) return undefined
    throw error
  } finally {
    client.close()
  }
}
