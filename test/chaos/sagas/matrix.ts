import type { Findings } from '../findings.ts'
import { Random } from '../random.ts'
import { judge } from '../trial.ts'
import { Clients } from './clients.ts'
import { Emitted } from './emitted.ts'
import type { Installation } from './installation.ts'
import type { Character } from './ledger/messages.ts'
import { Looks } from './looks.ts'
import { makeOrders } from './orders.ts'
import { Recovery } from './recovery.ts'
import { SagaRows } from './saga-rows.ts'
import { drawNext, drawPoint, pointNames, Striking } from './strikes.ts'
import { verifyRun } from './verify.ts'

const workers = 3
/** After so many the rest would tell nothing new. */
const maxFailed = 3
/** A run of so many has to hit each kind of point. */
const manySeeds = 500
/** From the kill to the last end, with a lease that has to run out. */
const boundMs = 30_000

/**
 * The crash matrix: kill -9 of a worker right before or after a write, a send or a receive, forward and undo, with some
 * dozens of sagas in flight; others go on with them. Returns the number of seeds that failed.
 */
export async function runMatrix(installation: Installation, from: number, seeds: number): Promise<number> {
  const matrix = { installation, emitted: new Emitted(), kills: new Map(pointNames.map((name) => [name, 0])) }
  let failed = 0
  let seed = from
  for (; seed < from + seeds && failed < maxFailed; seed++) {
    if (await judge({ seed }, (findings) => runSeed(seed, matrix, findings))) continue
    failed++
    console.log(`  again with: npm run chaos -- sagas matrix --seeds 1 --from ${seed}`)
  }
  const whole = async (findings: Findings) => {
    // Most points are reached; else what passed proves little.
    const kills = [...matrix.kills.values()].reduce((sum, n) => sum + n, 0)
    if (seed - from >= 20 && kills < 0.6 * (seed - from)) findings.add('too few kills', `${kills}`)
    for (const [name, n] of matrix.kills) {
      if (n === 0 && seed - from >= manySeeds) findings.add('nothing was ever killed there', name)
    }
    const emitted = await matrix.emitted.verify(installation, findings)
    return { kills, at: Object.fromEntries(matrix.kills), ...emitted }
  }
  return (await judge({ seeds: seed - from }, whole)) ? failed : failed + 1
}

interface Matrix {
  readonly installation: Installation
  readonly emitted: Emitted
  /** Of workers so far, by where. */
  readonly kills: Map<string, number>
}

async function runSeed(seed: number, matrix: Matrix, findings: Findings) {
  const { installation, emitted } = matrix
  const began = performance.now()
  const random = new Random(seed)
  await installation.atLeast(2)
  const prefix = `${seed}-`
  const wanted = makeOrders(random.fork(), prefix, random.int(8, 32))
  const point = drawPoint(random, workers, seed)
  const character: Character = { guard: random.pick(['barrier', 'keys'] as const) }
  const again = random.chance(0.2) ? drawNext(random, workers) : undefined
  const wait = { lease: random.chance(0.1), restartMs: random.pick([0, 0, 300, 3_000]) }
  await installation.ledger.behave(seed, character)
  await using looks = new Looks(installation.ledger, findings)
  const rows = await SagaRows.since(installation)
  const striking = await Striking.arm(installation, point, prefix)
  const clients = new Clients(installation, findings, random.fork(), 0.08)
  const next = again && (() => Striking.arm(installation, again, prefix))
  const recovery = new Recovery(installation, striking, { ...wait, next })
  await clients.startAll(wanted)
  const { told, cancelled } = clients
  const ended = await verifyRun(installation, { wanted, told, cancelled, rows, prefix }, boundMs, findings)
  recovery.stop()
  const killed = await recovery.done
  for (const { at } of killed) matrix.kills.set(at, (matrix.kills.get(at) ?? 0) + 1)
  await emitted.note(rows)
  return {
    point,
    ...(again && { again }),
    killed: killed.map(({ worker }) => worker.process.name),
    character: character.guard,
    ...wait,
    ended,
    looks: looks.count,
    ms: Math.round(performance.now() - began),
  }
}
