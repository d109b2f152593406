import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from './findings.ts'
import { Latencies } from './latencies.ts'
import { Ledger } from './ledger.ts'
import { isRightlyRefused, Load } from './load.ts'
import { Random } from './random.ts'
import { connectRaw } from './raw-rows.ts'
import { Reader } from './reader.ts'
import { twoTenants } from './tenants.ts'
import { judgeUnanswered } from './unanswered.ts'
import { awaitStored, type Expectation, verifyRawRows, verifyThroughApi } from './verify.ts'

export interface FaultlessOptions {
  /** Where events go in, and where they are read. */
  readonly urls: { readonly ingest: string; readonly query: string }
  readonly adminKey: string
  readonly source: string
  readonly ledgerFile: string
  readonly seed: number
  readonly eventsPerSecond: number
  /** Events of one request at most. */
  readonly batchEvents: number
}

/** Clients of an installation in which something changes without a fault: they must not be answered any different. */
export class FaultlessClients implements AsyncDisposable {
  readonly latencies = new Latencies()
  readonly #urls: FaultlessOptions['urls']
  readonly #findings: Findings
  readonly #expectation: Expectation
  readonly #load: Load
  readonly #reader: Reader

  private constructor({ urls, adminKey, ...o }: FaultlessOptions, expectation: Expectation, findings: Findings) {
    this.#urls = urls
    this.#findings = findings
    this.#expectation = expectation
    this.#load = new Load({
      ...{ url: urls.ingest, ...expectation, random: new Random(o.seed), eventsPerSecond: o.eventsPerSecond },
      ...{ senders: 8, batchSize: (random) => random.int(1, o.batchEvents) },
    })
    this.#load.onAnswer = (answer, batch) => {
      this.latencies.add(answer.ms, answer.status === 202 ? batch.events.length : 0)
      if (answer.status !== 202 && !isRightlyRefused(answer, batch))
        findings.add('an append was answered otherwise', `${answer.status} ${answer.text.slice(0, 200)}`)
    }
    this.#reader = new Reader(urls.query, adminKey, findings)
  }

  static async begin(o: FaultlessOptions, findings: Findings): Promise<FaultlessClients> {
    const tenants = await twoTenants(o.urls.ingest, o.adminKey)
    // Every process reads the keys anew each 2 s: until then others than the one that made it do not know the new one.
    await delay(3_000)
    const ledger = await Ledger.open(o.ledgerFile)
    return new FaultlessClients(o, { ledger, source: o.source, tenants }, findings)
  }

  /** Ends them, and holds what is stored against what they were told. @returns what came of them, for the verdict */
  async verify(clickhouseUrl: string): Promise<object> {
    await this.#load.stop()
    judgeUnanswered(this.#load.statuses, this.#findings)
    await this.#reader.stop()
    await awaitStored(this.#urls.query, await this.#load.mark(), 60_000)
    const stored = await verifyThroughApi(this.#urls.query, this.#expectation, this.#findings)
    await verifyRawRows(connectRaw(clickhouseUrl), [this.#expectation], this.#findings)
    return {
      ...this.#expectation.ledger.counts(),
      stored: [...stored.values()].reduce((a, b) => a + b, 0),
      answers: Object.fromEntries(this.#load.statuses),
      reads: this.#reader.reads,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load.stop(0)
    await this.#reader.stop()
    await this.#expectation.ledger.close()
  }
}
