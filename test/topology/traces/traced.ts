import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Fleet } from '../../support/fleet.ts'
import { type OtlpReceiver, startReceiver } from '../../support/otlp/receiver.ts'
import { openShop } from './shop.ts'
import { chapters, tellTraces, traceIdOf } from './story.ts'
import { treeOf } from './tree.ts'

/** What the traces are like, wherever the modules run. Written by traces.test.ts with UPDATE=1. */
const golden = new URL('../traces.golden.txt', import.meta.url)

/** A collector, and what the sagas of the story call. Ends with its scope. */
export interface Traced extends AsyncDisposable {
  /** Settings of all processes: they trace what their client traces, and nothing else. */
  readonly env: Readonly<Record<string, string>>
  /** Tells the story to a fresh installation on one ClickHouse. @throws Error for an answer that is not expected */
  tell(fleet: Fleet): Promise<void>
  /** Once the processes have ended, with which the last spans come. @throws AssertionError unless the traces are as they have to be */
  check(): void
}

export async function startTraced(): Promise<Traced> {
  const receiver = await startReceiver()
  const shop = await openShop()
  return {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_TRACES_SAMPLER_ARG: '0', SAGA_ALLOW_PRIVATE: '127.0.0.1' },
    tell: async ({ urlFor, adminKey: key, clickhouseUrl }) => {
      const [ingest, query] = [urlFor('ingest'), urlFor('query')]
      const urls = { ingest, query, storage: urlFor('storage'), sagas: urlFor('sagas') }
      await tellTraces({ urls, key, engineUrl: clickhouseUrl!, shop })
    },
    check: () => {
      expect(receiver.problems).toEqual([])
      expectParents(receiver, shop.traces)
      const text = textOf(receiver)
      if (process.env.UPDATE) writeFileSync(golden, text)
      expect(text).toBe(readFileSync(golden, 'utf8'))
    },
    [Symbol.asyncDispose]: async () => {
      await receiver.stop()
      await shop[Symbol.asyncDispose]()
    },
  }
}

function textOf({ spans }: OtlpReceiver): string {
  const told = Object.entries(chapters).map(([chapter, title]) => {
    const trace = spans.filter(({ traceId }) => traceId === traceIdOf(chapter))
    return `${chapter}. ${title}\n\n${treeOf(trace)}\n`
  })
  expect(spans.filter(({ traceId }) => !Object.keys(chapters).some((one) => traceIdOf(one) === traceId))).toEqual([])
  return told.join('\n')
}

/** What a participant was given is the span of the very attempt that called it. */
function expectParents({ spans }: OtlpReceiver, traces: ReadonlyMap<string, readonly string[]>): void {
  const attempts = spans.filter(({ attributes }) => 'splitstream.saga.attempt' in attributes)
  const given = [...traces.values()].flat()
  expect(given.sort()).toEqual(attempts.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`).sort())
}
