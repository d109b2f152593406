import { Command, Option } from 'commander'
import { type Config, ConfigError, loadConfig } from '../../config.ts'
import { planTopology, type TopologyView, viewOf } from '../../topology.ts'
import { ask } from '../api.ts'
import { connectionOf, examples, print } from '../options.ts'
import { table } from '../table.ts'

interface Options {
  url?: string
  key?: string
  json?: boolean
}

/** How each instance of a link does; as GET /v1/topology gives it. */
type Live = TopologyView & { readonly instances?: Readonly<Record<string, unknown>> }

/**
 * `splitstream topology`: which modules run here and over what they reach the others, from the environment that a start would
 * read, or as a running process says. Exit code 2: a start with these settings would be refused.
 */
export function topologyCommand(): Command {
  const command = new Command('topology')
    .description('Show which modules run here and over what they reach the others')
    .option('--url <url>', 'ask this running process; otherwise the environment and .env are read, as a start would')
    .addOption(new Option('--key <key>', "the operator's key, for --url").env('SPLITSTREAM_KEY'))
    .option('--json', 'print it as JSON')
    .action(async ({ url, key, json }: Options) => {
      if (url !== undefined) return show(await ask<Live>(connectionOf({ url, key }), 'GET', '/v1/topology'), json)
      try {
        show(planned(loadConfig()), json)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        process.stderr.write(`${error.message}\n`)
        process.exitCode = 2
      }
    })
  return examples(
    command,
    'splitstream topology',
    'MODULES=query LINK_STORAGE_READ=http://storage:8080 splitstream topology',
    'splitstream topology --url http://127.0.0.1:8080',
  )
}

/** With the engines, which a running process does not tell. */
function planned(config: Config): Live {
  const topology = planTopology(config)
  const view = viewOf(topology)
  const engine = (port: string, setting: 'CLICKHOUSE_URL' | 'POSTGRES_URL', over: string | undefined) => ({
    port,
    over: over ?? 'embedded, in DATA_DIR',
    setting,
  })
  // Without name and password.
  const hostOf = (url: string): string => `${new URL(url).protocol}//${new URL(url).host}`
  const { CLICKHOUSE_URL: clickhouse, POSTGRES_URL: postgres } = config
  return {
    ...view,
    links: [
      ...view.links,
      ...(topology.engines.has('clickhouse')
        ? [engine('ClickHouse', 'CLICKHOUSE_URL', clickhouse?.origins.join(', '))]
        : []),
      engine('Postgres', 'POSTGRES_URL', postgres && hostOf(postgres)),
    ],
  }
}

function show({ modules, links, serves, instances }: Live, json = false): void {
  if (json) return print(JSON.stringify({ modules, links, serves, ...(instances && { instances }) }, null, 2))
  print(`modules here: ${modules.join(', ')}`)
  print(`served to other processes: ${serves.join(', ') || 'nothing'}\n`)
  print(
    table(
      ['needs', 'over', 'set by'],
      links.map(({ port, over, setting }) => ({ needs: port, over, 'set by': setting })),
    ),
  )
  for (const [port, state] of Object.entries(instances ?? {})) print(`\ninstances of ${port}: ${JSON.stringify(state)}`)
}
