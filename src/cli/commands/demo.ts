import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { ask, type Connection } from '../api.ts'
import { demoQueries, lateShare } from '../demo-queries.ts'
import { flightsFile, flightsMapping } from '../flights.ts'
import { loadWithProgress, summaryText } from '../load/run.ts'
import { connectionOf, examples, print, withConnection } from '../options.ts'
import { isReady, type RunningServer, startServer } from '../server-process.ts'
import { type QueryAnswer, table } from '../table.ts'

/** `splitstream demo`: three million flights in, a few answers out. Starts a server of its own when none answers. */
export function demoCommand(): Command {
  const command = new Command('demo')
    .description('Load three million real flights over HTTP and ask a few things about them')
    .option('--data-dir <path>', 'keep the data here; default: a temporary folder that is removed at the end')
    .action(async (options: { url: string; key?: string; dataDir?: string }) => {
      if (options.key !== undefined && (await isReady(options.url))) return demo(connectionOf(options))
      await withOwnServer(options.dataDir)
    })
  return examples(
    withConnection(command),
    'npm run demo',
    'SPLITSTREAM_URL=http://127.0.0.1:8080 SPLITSTREAM_KEY=… splitstream demo',
  )
}

/** Ctrl-C stops a load gracefully (see loadWithProgress); at any other time it ends the demo and its server. */
let loading = false

async function withOwnServer(dataDir: string | undefined): Promise<void> {
  const interrupt = (): void => {
    if (!loading) process.exit(130) // the server goes with this process
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  try {
    print('Starting a server …')
    const from = performance.now()
    const server = await startServer(dataDir === undefined ? {} : { dataDir })
    print(`Ready at ${server.url} after ${((performance.now() - from) / 1e3).toFixed(1)} s`)
    try {
      await demo({ url: server.url, key: server.adminKey })
    } finally {
      await stopped(server)
    }
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

async function stopped(server: RunningServer): Promise<void> {
  const code = await server.stop()
  print(
    code === 0
      ? 'The server has stopped.'
      : `The server stopped with code ${code}; its last output:\n${server.output()}`,
  )
}

async function demo(connection: Connection): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'splitstream-demo-'))
  try {
    loading = true
    const summary = await loadWithProgress({
      ...connection,
      ...flightsMapping,
      path: flightsFile(),
      batch: 5_000,
      inFlight: 4,
      retries: 20,
      timeoutMs: 60_000,
      gzip: false,
      checkpoint: join(scratch, 'checkpoint.json'),
      restart: true,
      waitStoredMs: 120_000,
    })
    loading = false
    print(summaryText(summary))
    if (!summary.finished) {
      process.exitCode = 130
      return
    }
    if (summary.rejected > 0) process.exitCode = 1
    await answers(connection, summary.position)
  } finally {
    loading = false
    await rm(scratch, { recursive: true, force: true })
  }
}

async function answers(connection: Connection, after: string | undefined): Promise<void> {
  const run = async (query: object): Promise<{ answer: QueryAnswer; ms: number }> => {
    const from = performance.now()
    const answer = await ask<QueryAnswer>(connection, 'POST', '/v1/query', { ...query, after })
    return { answer, ms: performance.now() - from }
  }
  for (const { question, query } of demoQueries) {
    const { answer, ms } = await run(query)
    print(`\n${question}  (${ms.toFixed(0)} ms)`)
    print(
      table(
        answer.columns.map(({ name }) => name),
        answer.rows,
      ),
    )
  }
  const [all, late] = [await run(lateShare.all), await run(lateShare.late)]
  const share = (Number(late.answer.rows[0]?.flights) / Number(all.answer.rows[0]?.flights)) * 100
  print(`\nWhat share is more than an hour late?  (${(all.ms + late.ms).toFixed(0)} ms)\n${share.toFixed(2)} %`)
}
