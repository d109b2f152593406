import { Command, Option } from 'commander'
import { ask } from '../api.ts'
import { connectionOf, examples, integer, names, print, withConnection } from '../options.ts'
import { table } from '../table.ts'

type Row = Readonly<Record<string, unknown>>
interface Options {
  url: string
  key?: string
}
interface NewKey {
  scopes: string[]
  tenant?: string
  expires?: string
  requestsPerSecond?: number
  bytesPerSecond?: number
}

/** `splitstream keys …`: API keys over HTTP, with an admin key. A key's secret is shown when it is made, never again. */
export function keysCommand(): Command {
  const keys = new Command('keys').description(
    'Create, list, rotate and revoke API keys (needs a key with the scope admin)',
  )

  const create = new Command('create')
    .description('Make a key and print it, once')
    .argument('<name>', 'what the key is for')
    .addOption(
      new Option('--scopes <list>', 'ingest, query, sagas, admin')
        .argParser(names)
        .default(['ingest', 'query'], 'ingest,query'),
    )
    .option('--tenant <tenant>', 'whose events it is for; default: that of the key that makes it')
    .option('--expires <instant>', 'when it ends by itself (RFC 3339); default: never')
    .option('--requests-per-second <n>', 'its quota; default: that of the settings', integer(1, 1e9))
    .option('--bytes-per-second <n>', 'its quota of request bodies; default: that of the settings', integer(1, 1e12))
    .action(async (name: string, o: Options & NewKey) => {
      const { requestsPerSecond, bytesPerSecond } = o
      const limited = requestsPerSecond !== undefined || bytesPerSecond !== undefined
      const quota = limited ? { quota: { requestsPerSecond, bytesPerSecond } } : {}
      const tenant = o.tenant === undefined ? {} : { tenant: o.tenant }
      const expiry = o.expires === undefined ? {} : { expiresAt: o.expires }
      const key = { name, scopes: o.scopes, ...tenant, ...expiry, ...quota }
      showSecret(await ask<Row>(connectionOf(o), 'POST', '/v1/keys', key))
    })
  const list = new Command('list').description('List the keys, without their secrets').action(async (o: Options) => {
    const answer = await ask<{ keys: Row[] }>(connectionOf(o), 'GET', '/v1/keys')
    const columns = [...new Set(answer.keys.flatMap((key) => Object.keys(key)))]
    print(table(columns, answer.keys))
  })
  const rotate = new Command('rotate')
    .description('Replace the secret of a key and print the new one, once')
    .argument('<id>', 'as the list shows it')
    .option('--grace <seconds>', 'for how long the old secret still works', integer(0, 2_592_000), 86_400)
    .action(async (id: string, o: Options & { grace: number }) => {
      const path = `/v1/keys/${encodeURIComponent(id)}/rotate`
      showSecret(await ask<Row>(connectionOf(o), 'POST', path, { graceSeconds: o.grace }))
    })
  const revoke = new Command('revoke')
    .description('Make a key worthless at once')
    .argument('<id>', 'as the list shows it')
    .action(async (id: string, o: Options) => {
      await ask<undefined>(connectionOf(o), 'DELETE', `/v1/keys/${encodeURIComponent(id)}`)
      print(`revoked ${id}`)
    })

  examples(
    withConnection(create),
    'splitstream keys create web-shop --scopes ingest',
    'splitstream keys create board --scopes query --tenant acme',
  )
  examples(withConnection(list), 'splitstream keys list')
  examples(withConnection(rotate), 'splitstream keys rotate 3f9aK27bQx01 --grace 3600')
  examples(withConnection(revoke), 'splitstream keys revoke 3f9aK27bQx01')
  for (const command of [create, list, rotate, revoke]) keys.addCommand(command)
  return examples(keys, 'splitstream keys create web-shop --scopes ingest', 'splitstream keys list')
}

function showSecret(made: Row): void {
  for (const [name, value] of Object.entries(made)) print(`${name}: ${textOf(value)}`)
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}
