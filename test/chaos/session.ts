import { join } from 'node:path'
import type { Findings } from './findings.ts'
import { Ledger } from './ledger.ts'
import { Load, type Tenant } from './load.ts'
import type { Random } from './random.ts'
import { createEmbedded } from './raw-rows.ts'
import { twoTenants } from './tenants.ts'
import type { Place } from './trial.ts'
import { awaitStored, type Expectation, verifyRawRows, verifyThroughApi } from './verify.ts'

export interface SessionOptions {
  /** Names its source and its ledger; no other session on this data directory has it. */
  readonly name: string
  readonly random: Random
  readonly eventsPerSecond: number
  /** Of an earlier session on this data directory. */
  readonly tenants?: readonly Tenant[] | undefined
}

const senders = 8

/** A started server under load, and the ledger of what its clients were told. Ends with its scope, however that ends. */
export class Session {
  readonly load: Load
  readonly ledger: Ledger
  readonly expectation: Expectation
  readonly #place: Place
  readonly #began = performance.now()

  private constructor(place: Place, expectation: Expectation, load: Load) {
    this.#place = place
    this.expectation = expectation
    this.ledger = expectation.ledger
    this.load = load
  }

  /** Starts the server, then the load. */
  static async start(place: Place, o: SessionOptions): Promise<Session> {
    const { victim, home } = place
    await victim.start()
    const tenants = o.tenants ?? (await twoTenants(victim.url, victim.adminKey))
    const ledger = await Ledger.open(join(home, `ledger-${o.name}.ndjson`))
    const source = `/chaos/${o.name}`
    const { random, eventsPerSecond } = o
    const load = new Load({ url: victim.url, tenants, source, ledger, random, eventsPerSecond, senders })
    return new Session(place, { ledger, source, tenants }, load)
  }

  /**
   * After the fault: ends the load, waits until all that was accepted is stored, and holds what can be read through the API,
   * and then what lies in the table, against the ledger. The server is stopped afterwards.
   * @param earlier sessions on the same data directory, whose events have to be there still
   * @param others sources of events that are not in the ledger
   * @param downMs for how long there was no server to send to: it does not count for the rate
   */
  async verify(
    findings: Findings,
    o: { drainMs?: number; earlier?: readonly Expectation[]; others?: string[]; downMs?: number } = {},
  ) {
    const { victim } = this.#place
    await this.load.stop()
    const stopped = performance.now()
    const servedMs = stopped - this.#began - (o.downMs ?? 0)
    const ackedPerSecond = Math.round((1000 * this.ledger.counts().acked) / servedMs)
    await awaitStored(victim.url, await this.load.mark(), o.drainMs ?? 60_000)
    const drainMs = Math.round(performance.now() - stopped)
    const stored = await verifyThroughApi(victim.url, this.expectation, findings)
    const code = await victim.stop()
    if (code !== 0) findings.add('did not stop cleanly', `exit code ${code}`)
    await verifyRawRows(
      await createEmbedded(victim.dataDir),
      [...(o.earlier ?? []), this.expectation],
      findings,
      o.others,
    )
    return {
      ...this.ledger.counts(),
      stored: [...stored.values()].reduce((a, b) => a + b, 0),
      ackedPerSecond,
      answers: Object.fromEntries(this.load.statuses),
      drainMs,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load.stop(0)
    await this.ledger.close()
  }
}
