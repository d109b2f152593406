import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, type RunningServer, startServer } from '../support/server.ts'
import { Ledger } from './ledger.ts'
import { kill, type Part } from './processes.ts'
import { seeded } from './random.ts'
import { startSenders } from './senders.ts'
import { settle, type Verdict, verify } from './verify.ts'

export const chaosKey = 'chaos-key-chaos-key-chaos-key-chaos-key'
const senders = 6
const rate = 10_000
const loadMs = 6_000
/** Seeds that share a data directory before a fresh one is made. */
const seedsPerDirectory = 5

export interface SeedReport extends Verdict {
  readonly seed: number
  readonly kills: string
  readonly restartMs: number
  readonly eventsPerSecond: number
}

/**
 * Each seed: load, and 1 to 3 `kill -9` of the main process, the ClickHouse child or Postgres at seeded instants, up to
 * two at once; then everything must drain and agree with the clients' ledger. `root`: the tree to run (a planted copy).
 */
export async function killSeeds(
  from: number,
  count: number,
  o: { root?: string; onSeed(report: SeedReport, dir: string): void },
) {
  let failed = 0
  for (let seed = from; seed < from + count; ) {
    const dir = await mkdtemp(join(tmpdir(), 'splitstream-chaos-'))
    const world = new World(dir, await freePort(), o.root)
    let keep = false
    try {
      await world.start()
      for (let k = 0; k < seedsPerDirectory && seed < from + count; k++, seed++) {
        const report = await runSeed(world, seed)
        o.onSeed(report, dir)
        if (!report.ok) {
          failed++
          keep = o.root === undefined // of a planted bug there is nothing to look into
          seed++
          break
        }
      }
    } finally {
      await world.stop()
      if (!keep) await rm(dir, { recursive: true, force: true })
    }
  }
  return failed
}

/** The server on its directory and port, started again whenever it dies. */
class World {
  readonly url: string
  restartMs = 0
  #server: RunningServer | undefined
  readonly #options

  constructor(dir: string, port: number, root: string | undefined) {
    this.url = `http://127.0.0.1:${port}`
    this.#options = {
      dataDir: dir,
      port,
      env: { ADMIN_KEY: chaosKey, LOG_LEVEL: 'warn', SEEN_KEYS: '200000' },
      readyTimeoutMs: 60_000,
      ...(root !== undefined && { entry: join(root, 'src/main.ts') }),
    }
  }

  async start(): Promise<void> {
    const from = performance.now()
    this.#server = await startServer(this.#options)
    this.restartMs = Math.max(this.restartMs, Math.round(performance.now() - from))
  }

  async kill(part: Part): Promise<void> {
    kill(this.#server!.pid, part)
    if (part !== 'main') return
    await this.#server!.exited
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
  }
}

async function runSeed(world: World, seed: number): Promise<SeedReport> {
  const random = seeded(seed)
  const run = `seed-${seed}`
  const ledger = new Ledger()
  const target = { url: world.url, key: chaosKey }
  world.restartMs = 0
  const load = startSenders(target, ledger, { seed, run, senders, rate })
  const from = performance.now()
  const schedule = Array.from({ length: random.int(1, 3) }, () => ({
    at: random.int(300, loadMs - 500),
    parts: partsOf(random),
  })).sort((a, b) => a.at - b.at)
  for (const { at, parts } of schedule) {
    await sleep(Math.max(0, at - (performance.now() - from)))
    for (const part of parts) await world.kill(part)
    if (parts.includes('main')) {
      await sleep(random.int(0, 300))
      await world.start()
    }
  }
  await sleep(Math.max(0, loadMs - (performance.now() - from)))
  await load.stop()
  const seconds = (performance.now() - from) / 1000
  await settle(target, run, senders, 60_000)
  const verdict = await verify(target, run, ledger.snapshot())
  const kills = schedule.map(({ at, parts }) => `${at}ms:${parts.join('+')}`).join(' ')
  return { seed, ...verdict, kills, restartMs: world.restartMs, eventsPerSecond: Math.round(verdict.acked / seconds) }
}

function partsOf(random: ReturnType<typeof seeded>): Part[] {
  const first = random.pick(['main', 'main', 'clickhouse', 'clickhouse', 'postgres'] as const)
  if (random.next() < 0.75) return [first]
  const second = random.pick(['clickhouse', 'postgres'] as const)
  // The children go first: they are found through their parent.
  return first === second ? [first] : first === 'main' ? [second, first] : [first, second]
}
