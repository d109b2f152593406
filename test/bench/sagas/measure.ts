import { progress } from '../progress.ts'
import { treeCpuSeconds, treePssMib } from './cpu.ts'
import type { Engine, RunningEngine } from './engines/engine.ts'
import type { PostgresWork } from './engines/postgres.ts'
import type { RoundResult } from './load/messages.ts'
import { type RunningLoad, startLoad } from './load/start.ts'
import { type RunningParticipant, startParticipant } from './participant/start.ts'
import type { Plan } from './plan.ts'

/** CPU time of a saga in the round of 64, by process, µs. */
export type CpuMicros = Readonly<Record<'engine' | 'postgres' | 'participant' | 'load', number>>

/** What one pass measured of one engine. */
export interface Pass {
  readonly sequential: RoundResult
  readonly sixteen: RoundResult
  readonly sixtyFour: RoundResult
  readonly cpu: CpuMicros
  /** Memory of the engine and its Postgres after the round of 64, MiB. */
  readonly memoryMib: number
  /** For a saga; of an engine on Postgres, in the first pass. */
  readonly postgres?: PostgresWork
}

const most = 64

/** Starts everything afresh, measures, and checks the participant's ledger. @throws Error when the engine was wrong. */
export async function measurePass(engine: Engine, plan: Plan, counts: boolean): Promise<Pass> {
  const participant = await startParticipant()
  const running = await engine.start(participant.url)
  const load = await startLoad(running.target, most)
  const ended = { completed: 0, compensated: 0 }
  const run = async (name: string, inFlight: number, seconds: number): Promise<RoundResult> => {
    const result = await load.run({ name, inFlight, seconds })
    ended.completed += result.completed
    ended.compensated += result.compensated
    return result
  }
  await run('warm-up', most, plan.warmUpSeconds)
  const sequential = await run('a', 1, plan.sequentialSeconds)
  const sixteen = await run('b', 16, plan.sixteenSeconds)
  const cpuOf = cpuBy(running, participant, load)
  const sixtyFour = await run('c', most, plan.sixtyFourSeconds)
  const cpu = cpuOf(sagasOf(sixtyFour))
  const memoryMib = treePssMib([...running.pids, ...(running.postgres ? [running.postgres.pid] : [])])
  const postgres = counts ? await workOf(running, () => run('d', most, plan.countSeconds)) : undefined
  await checkLedger(participant, ended)
  progress(
    `${engine.label}: ${Math.round(sixtyFour.rate)} sagas/s, ${sequential.p50Ms.toFixed(2)} ms one after another`,
  )
  await load.stop()
  await running.stop()
  await participant.stop()
  return { sequential, sixteen, sixtyFour, cpu, memoryMib, ...(postgres && { postgres }) }
}

/** The participant has to have seen what the engine said: the same numbers of orders, each effect once, all or nothing. */
export async function checkLedger(
  participant: RunningParticipant,
  ended: { completed: number; compensated: number },
): Promise<void> {
  const { completed, compensated, wrong, wrongCount } = await participant.audit()
  if (wrongCount > 0) throw new Error(`${wrongCount} orders are wrong in the participant's ledger: ${wrong.join('; ')}`)
  if (completed !== ended.completed || compensated !== ended.compensated) {
    const said = `${ended.completed} completed and ${ended.compensated} compensated`
    throw new Error(`the engine said ${said}, the participant's ledger says ${completed} and ${compensated}`)
  }
}

const sagasOf = ({ completed, compensated }: RoundResult): number => completed + compensated

async function workOf({ postgres }: RunningEngine, run: () => Promise<RoundResult>): Promise<PostgresWork | undefined> {
  if (!postgres) return undefined
  let sagas = 0
  const { statements, walBytes } = await postgres.count(async () => {
    sagas = sagasOf(await run())
  })
  return { statements: statements / sagas, walBytes: walBytes / sagas }
}

/** Reads the clocks now; the returned function reads them again. */
function cpuBy(engine: RunningEngine, participant: RunningParticipant, load: RunningLoad) {
  const read = (): CpuMicros => ({
    engine: treeCpuSeconds(engine.pids),
    postgres: engine.postgres ? treeCpuSeconds([engine.postgres.pid]) : 0,
    participant: treeCpuSeconds([participant.pid]),
    load: treeCpuSeconds([load.pid]),
  })
  const before = read()
  return (sagas: number): CpuMicros => {
    const after = read()
    const micros = (part: keyof CpuMicros): number => ((after[part] - before[part]) * 1e6) / sagas
    return {
      engine: micros('engine'),
      postgres: micros('postgres'),
      participant: micros('participant'),
      load: micros('load'),
    }
  }
}
