import { isDeepStrictEqual } from 'node:util'
import { seededChance } from '../kit/testing/chance.ts'
import { SagaRun } from '../kit/testing/saga-run.ts'
import { World } from '../kit/testing/world.ts'
import { parseDefinition } from './check-definition.ts'
import { compactEntries } from './compact.ts'
import { violationsOf } from './invariants.fixture.ts'
import { type Fate, Ledger } from './ledger.fixture.ts'
import type { Plan } from './plan.ts'
import type { Case } from './random-saga.fixture.ts'
import { foldEntries } from './state.ts'

/** Until then participants and the network are bad, virtual ms. */
const badMs = 15 * 60_000
const hour = 3_600_000
const maxSteps = 5_000

const bad: readonly Fate[] = [
  ...Array<Fate>(14).fill('answered'),
  'late',
  'answer lost',
  'request lost',
  'arrives later',
  'proxied twice',
  'unreachable',
  'postponed',
  'overloaded',
  'fails before',
  'fails after',
  'unusable',
]

/** A bug that is planted to see that it is found: another run in place of the kit's own, or a plan that was changed. */
export interface Bug {
  readonly Run?: typeof SagaRun
  plan?(plan: Plan): Plan
}

/**
 * Runs a case to its end: first in bad times, in which workers go down and operators act, then in good ones, in which operators
 * look after what needs attention. They find out at the participant what is true, and act by that.
 * @returns what went wrong; nothing, if all is well
 */
export async function runCase(one: Case, bug: Bug = {}): Promise<string[]> {
  const { definition, child, keyWindow, replaysErrors, refuses, which, seed } = one
  const chance = seededChance(seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(chance.fraction() * list.length)]!
  const definitions = { outer: parseDefinition('outer', definition), inner: parseDefinition('inner', child) }
  const problems: string[] = []
  const isBad = () => world.agenda.now < badMs
  const ledger = new Ledger({
    keyWindow,
    replaysErrors,
    refuses,
    now: () => world.agenda.now,
    fate: () => (isBad() ? pick(bad) : 'answered'),
    fraction: chance.fraction,
  })
  const { Run = SagaRun } = bug
  class CaseWorld extends World {
    protected override newRun(plan: Plan, id: string, parent: SagaRun['parent']) {
      return new Run(this, bug.plan ? bug.plan(plan) : plan, id, parent)
    }
  }
  const world: World = new CaseWorld({ definitions, participants: { p: ledger.participant }, locked: [], seed, now: 0 })
  const outer = world.start('outer', 'outer', { which })

  for (let steps = 0; !outer.ended; steps++) {
    if (steps > maxSteps) return [...problems, `it does not end in ${maxSteps} steps: ${outer.state.status}`]
    const runs = [...world.runs.values()]
    if (isBad() && one.crashes && chance.fraction() < 0.08) pick(runs).crash()
    if (isBad() && chance.fraction() < 0.02) pick(runs).compact()
    if (isBad() && one.operators && chance.fraction() < 0.03) {
      const run = pick(runs)
      if (chance.fraction() < 0.2) run.order({ action: 'cancel' })
      else operate(run, ledger, chance.fraction())
    }
    for (const run of runs) problems.push(...journalProblems(run))
    if (outer.ended) break
    if (await world.agenda.step()) continue
    // Nothing is left that could happen by itself.
    world.agenda.now = Math.max(world.agenda.now, badMs) + hour
    ledger.land()
    if (!runs.some((run) => operate(run, ledger, chance.fraction()))) {
      return [...problems, `it is stuck in ${outer.state.status}, and no operator can help`]
    }
  }
  world.agenda.now += hour
  ledger.land()
  for (const run of world.runs.values()) problems.push(...violationsOf(run, ledger))
  return [...problems, ...ledger.violations]
}

/** The state is that of the journal, and a short journal says the same. */
function journalProblems(run: SagaRun): string[] {
  const entries = run.entries
  const problems: string[] = []
  if (!isDeepStrictEqual(foldEntries(entries), run.state)) problems.push(`${run.id}: the journal gives another state`)
  if (!isDeepStrictEqual(foldEntries(compactEntries(entries)), run.state))
    problems.push(`${run.id}: the short journal lies`)
  return problems
}

/** An operator who asks the participant first, and does not act while something is under way. @returns whether it helped */
function operate(run: SagaRun, ledger: Ledger, fraction: number): boolean {
  const { state, plan } = run
  if (run.ended) return false
  ledger.land()
  for (const [step, { status, undo, effect }] of state.steps) {
    const now = state.turned ? undo?.status : status
    if (now !== 'failed' && now !== 'retrying' && now !== 'stuck') continue
    if (!ledger.isQuiet(run.id, step)) continue
    const done = ledger.count(run.id, step, state.turned ? 'undo' : 'do') > 0
    const nothingToUndo = state.turned && ledger.count(run.id, step, 'do') === 0
    const { pivot } = plan.steps.get(step)!
    if (done) return run.order({ action: 'resolve', step, output: { n: 1 } }) === undefined
    if (nothingToUndo) return run.order({ action: 'skip', step }) === undefined
    if (!state.turned && pivot && effect !== 'none' && fraction < 0.5) {
      return run.order({ action: 'cancel', step }) === undefined
    }
    // What is refused again and again is given up.
    const again = run.entries.filter((entry) => entry.e === 'by' && entry.s === step).length < 3
    if (again || state.turned) return run.order({ action: 'retry', step }) === undefined
    return run.order({ action: 'skip', step }) === undefined
  }
  return false
}
