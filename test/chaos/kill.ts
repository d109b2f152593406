import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Findings } from './findings.ts'
import { Ledger } from './ledger.ts'
import { Load, type Tenant } from './load.ts'
import { Random } from './random.ts'
import { makeSchedule, strikeAll } from './schedule.ts'
import { Victim } from './server.ts'
import { awaitStored, type Expectation, verifyRawRows, verifyThroughApi } from './verify.ts'

export interface KillOptions {
  readonly from: number
  readonly seeds: number
  readonly eventsPerSecond: number
  readonly keep: boolean
}

/** Seeds that share a data directory: later ones start on what earlier ones left. */
const seedsPerDataDir = 5

/** kill -9 of the server's processes under load. Returns the number of seeds that failed. */
export async function runKill(o: KillOptions): Promise<number> {
  let failed = 0
  for (let seed = o.from; seed < o.from + o.seeds; ) {
    // Groups lie at fixed seeds, so that a seed run alone differs only in what its predecessors left behind.
    const end = Math.min(o.from + o.seeds, (Math.floor(seed / seedsPerDataDir) + 1) * seedsPerDataDir)
    failed += await runGroup(seed, end, o)
    seed = end
  }
  return failed
}

async function runGroup(from: number, end: number, o: KillOptions): Promise<number> {
  const home = await mkdtemp(join(tmpdir(), 'splitstream-chaos-'))
  const random = new Random(1_000_003 * Math.floor(from / seedsPerDataDir))
  // A small window of the seen-index makes retries reach beyond it.
  const env = { SEEN_KEYS: random.chance(0.5) ? '10000' : '2000000', MIN_FREE_BYTES: '0' }
  const victim = await Victim.create(join(home, 'data'), env)
  const done: Expectation[] = []
  let failed = 0
  let tenants: Tenant[] | undefined
  try {
    for (let seed = from; seed < end; seed++) {
      const findings = new Findings()
      const verdict = await runSeed(seed, victim, done, tenants, home, o, findings).catch((error: unknown) => {
        findings.add('harness or server', error instanceof Error ? (error.stack ?? error.message) : String(error))
        return { seed }
      })
      if ('tenants' in verdict) tenants = verdict.tenants
      console.log(JSON.stringify({ ...verdict, tenants: undefined, ok: findings.ok, findings }))
      if (findings.ok) continue
      failed++
      console.log(`  again with: npm run chaos -- kill --seeds ${seed - from + 1} --from ${from}`)
      break // what is on this disk is the evidence; later seeds would blur it
    }
  } finally {
    await victim.end()
    await writeFile(join(home, 'server.log'), victim.output())
    for (const { ledger } of done) await ledger.close()
    if (failed === 0 && !o.keep) await rm(home, { recursive: true, force: true })
    else console.log(`  kept: ${home}`)
  }
  return failed
}

async function runSeed(
  seed: number,
  victim: Victim,
  done: Expectation[],
  known: Tenant[] | undefined,
  home: string,
  o: KillOptions,
  findings: Findings,
) {
  const began = performance.now()
  const random = new Random(seed)
  const { loadMs, strikes } = makeSchedule(random.fork())
  await victim.start()
  const starts = victim.readyMs.length
  const tenants = known ?? (await victim.tenants())
  const ledger = await Ledger.open(join(home, `ledger-${seed}.ndjson`))
  const source = `/chaos/${seed}`
  const expectation = { ledger, source, tenants }
  done.push(expectation)

  const load = new Load({
    url: victim.url,
    tenants,
    source,
    ledger,
    random,
    eventsPerSecond: o.eventsPerSecond,
    senders: 8,
  })
  const loadBegan = performance.now()
  const [hits] = await Promise.all([strikeAll(victim, strikes), delay(loadMs)])
  await load.stop()
  const seconds = (performance.now() - loadBegan) / 1000
  const rate = Math.round(ledger.counts().acked / seconds)

  const healBegan = performance.now()
  await awaitStored(victim.url, await load.mark(), 60_000)
  const healMs = Math.round(performance.now() - healBegan)
  const stored = await verifyThroughApi(victim.url, expectation, findings)
  const code = await victim.stop()
  if (code !== 0) findings.add('did not stop cleanly', `exit code ${code}`)
  await verifyRawRows(victim.dataDir, done, findings)
  return {
    seed,
    strikes: hits,
    ...ledger.counts(),
    stored: [...stored.values()].reduce((a, b) => a + b, 0),
    ackedPerSecond: rate,
    answers: Object.fromEntries(load.statuses),
    readyMs: victim.readyMs.slice(starts - 1),
    healMs,
    seconds: Math.round((performance.now() - began) / 100) / 10,
    tenants,
  }
}
