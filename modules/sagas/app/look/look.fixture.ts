import { leastId, type WholeSagaRow } from '../../adapters/saga-rows.ts'
import { parseDefinition } from '../../domain/check-definition.ts'
import { encodeEntries } from '../../domain/entry.ts'
import { planSaga } from '../../domain/plan.ts'
import { type Script, scripted } from '../../domain/saga.fixture.ts'
import type { Simulation, SimulationOptions } from '../../kit/testing/index.ts'
import { simulate } from '../../kit/testing/index.ts'
import { problemOf } from '../to-transition.ts'
import { detailOf, type SagaDetail } from './saga-detail.ts'
import { seeSaga } from './seen-saga.ts'
import type { Surroundings, Waiting } from './waiting.ts'

export const nothingAround: Surroundings = {
  blocked: () => undefined,
  holder: () => undefined,
  child: () => undefined,
}

interface Setting extends Omit<SimulationOptions, 'participants'> {
  readonly participant?: object
  readonly saga?: object
}

/** A saga that was run, by the engine's own state machine, and how it is shown. */
export class Looked {
  readonly run: Simulation
  readonly #definition: object

  constructor(steps: readonly object[], script: Script = {}, { participant, saga, ...options }: Setting = {}) {
    this.#definition = { participants: { p: { url: 'http://p.test', ...participant } }, steps, ...saga }
    this.run = simulate(this.#definition, { participants: { p: scripted(script) }, ...options })
  }

  /** As it is shown now. `row`: what the table says of its owner. */
  detail(around: Partial<Surroundings> = {}, row: Partial<WholeSagaRow> = {}): SagaDetail {
    const { run } = this
    const plan = planSaga('saga', 1, parseDefinition('saga', this.#definition))
    const ended = run.status === 'completed' || run.status === 'compensated'
    const now = new Date(run.state.at + run.t)
    const whole: WholeSagaRow = {
      id: leastId(run.state.at),
      tenant: 'acme',
      name: 'saga',
      version: 1,
      status: run.status,
      ended_at: ended ? now : null,
      problem: problemOf(run.state, run.t),
      journal: encodeEntries(run.history()),
      worker: 'here:1',
      lease_until: new Date(now.getTime() + 3_000),
      due_at: null,
      now,
      ...row,
    }
    return detailOf(seeSaga(whole, plan), { ...nothingAround, ...around })
  }

  waits(around: Partial<Surroundings> = {}, row: Partial<WholeSagaRow> = {}): readonly Waiting[] {
    return this.detail(around, row).waitingFor
  }

  /** Step by step in short: `charge done`, `ship not_started`. */
  steps(): string[] {
    return this.detail().steps.map(({ id, status, undo }) => `${id} ${status}${undo ? `, undo ${undo.status}` : ''}`)
  }
}
