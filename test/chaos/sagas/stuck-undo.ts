import { setTimeout as delay } from 'node:timers/promises'
import { Stalls } from '../../support/stalls.ts'
import { Client } from '../client.ts'
import type { Findings } from '../findings.ts'
import type { Installation } from './installation.ts'
import type { Arrival, Fault } from './ledger/messages.ts'
import type { Measurement, Part } from './place.ts'
import { runSagas } from './run.ts'
import type { SagaRow, SagaRows } from './saga-rows.ts'

const sagas = 20
const stuckMs = 8_000

/** How soon an undo is to be seen that fails or hangs, ms; and how soon the others are to be done. */
const bounds = { visibleMs: 5_000, independentUndosMs: 1_000 }

/** The ways in which an undo gets stuck. One that hangs is given up after the default timeout, 10 s. */
const ways: Readonly<Record<string, Fault>> = {
  fails: { kind: 'status', status: 500, effect: false },
  hangs: { kind: 'hang', effect: false },
}

export interface StuckUndo {
  /** From the first call of the undo that is stuck until lists show it, in the slowest saga. */
  readonly visibleMs: number
  /**
   * From the first undo of a saga until the last of those that are not stuck is done and written down, in the slowest saga;
   * without the time for which this machine stood still.
   */
  readonly independentUndosMs: number
  /** Sagas by how they ended. */
  readonly ended: Readonly<Record<string, number>>
}

/** See `measureStuckUndo`. */
export const runStuckUndo: Part = async (place, seed, findings) => {
  const measured = await measureStuckUndo(place, seed, findings)
  const { visibleMs, independentUndosMs } = measured
  if (visibleMs > bounds.visibleMs) findings.add('not visible', `before ${visibleMs} ms`)
  if (independentUndosMs > bounds.independentUndosMs) {
    findings.add('an independent undo was late', `${independentUndosMs} ms`)
  }
  return measured
}

/**
 * An undo that fails again and again, or hangs, in the middle of two others: these are done within a second, lists show the saga
 * within five, and it goes on by itself when the participant is well again. The worst of both ways.
 */
export const measureStuckUndo: Measurement<StuckUndo> = async ({ installation }, seed, findings) => {
  const all: StuckUndo[] = []
  for (const [way, fault] of Object.entries(ways)) {
    all.push(await measureOne(installation, fault, { prefix: `stuck-${way}-${seed}-`, seed }, findings))
  }
  const worst = (of: (one: StuckUndo) => number): number => Math.round(Math.max(...all.map(of)))
  return {
    visibleMs: worst(({ visibleMs }) => visibleMs),
    independentUndosMs: worst(({ independentUndosMs }) => independentUndosMs),
    ended: Object.fromEntries(Object.keys(ways).map((way, i) => [way, all[i]!.ended.compensated ?? 0])),
  }
}

async function measureOne(
  installation: Installation,
  fault: Fault,
  run: { readonly prefix: string; readonly seed: number },
  findings: Findings,
): Promise<StuckUndo> {
  let sagaRows: SagaRows | undefined
  using stalls = new Stalls()
  const { ended, meanwhile: seen } = await runSagas(
    installation,
    {
      ...{ ...run, orders: sagas, kind: 'stuck', courier: 'closed', endsWithinMs: 30_000 },
      character: { guard: 'keys' },
      rules: [{ operations: ['unlabel'], share: 1, fault, forMs: stuckMs }],
    },
    findings,
    async ({ rows, started }) => {
      sagaRows = rows
      return await watchList(installation, started)
    },
  )
  const { arrivals, now } = await installation.ledger.audit(run.prefix)
  const ledgerBehindMs = performance.now() - now
  const visibleMs = arrivals.filter(isFirstOfStuck).map(({ saga, at }) => {
    const seenAt = seen.get(saga)
    if (seenAt === undefined) findings.add('not visible', `${saga} was not listed while its undo was stuck`)
    return (seenAt ?? 0) - (at + ledgerBehindMs)
  })
  const independentMs = (await sagaRows!.all()).map((row) => {
    const { from, to } = independentUndos(row)
    // Journals tell the time of the day.
    return to - from - stalls.between(from - performance.timeOrigin, to - performance.timeOrigin)
  })
  return { visibleMs: Math.max(...visibleMs), independentUndosMs: Math.max(...independentMs), ended }
}

const isFirstOfStuck = (one: Arrival, i: number, all: readonly Arrival[]): boolean =>
  one.operation === 'unlabel' &&
  all.findIndex(({ saga, operation }) => saga === one.saga && operation === 'unlabel') === i

/** @returns when each saga was listed with its stuck undo for the first time, by this process's clock */
async function watchList(installation: Installation, started: Promise<void>): Promise<ReadonlyMap<string, number>> {
  const client = new Client(installation.alive[0]!.process.url, installation.adminKey)
  const seen = new Map<string, number>()
  const path = '/v1/sagas?problem=true&status=compensating&limit=100'
  let end = Number.POSITIVE_INFINITY
  void started.then(() => {
    end = performance.now() + stuckMs
  })
  while (seen.size < sagas && performance.now() < end) {
    const page = await client.json<{ sagas: { id: string; name: string; problem: string }[] }>('GET', path)
    for (const { id, name, problem } of page.sagas) {
      if (name === 'stuck' && problem.includes('label') && !seen.has(id)) seen.set(id, performance.now())
    }
    await delay(20)
  }
  client.close()
  return seen
}

/** By the journal: when something was done is what counts, and not when it was tried. */
function independentUndos({ journal }: SagaRow): { from: number; to: number } {
  const entries = journal.split('\n').flatMap((line) => (line ? [JSON.parse(line) as Entry] : []))
  const first = Math.min(...entries.filter(({ e }) => e === 'undo').map(({ t }) => t))
  const done = entries.filter(({ e, s }) => e === 'undone' && s !== 'label')
  return { from: first, to: done.length === 2 ? Math.max(...done.map(({ t }) => t)) : Number.POSITIVE_INFINITY }
}

interface Entry {
  readonly e: string
  readonly s?: string
  readonly t: number
}
