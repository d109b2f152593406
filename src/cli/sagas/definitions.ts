import { readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command } from 'commander'
import { ask, call, problemOf } from '../api.ts'
import { connectionOf, examples, print, withConnection } from '../options.ts'
import { printable, table } from '../table.ts'
import type { SagaOptions } from './look.ts'
import { parseJson } from './parse-json.ts'

type Row = Readonly<Record<string, unknown>>

interface Finding {
  readonly path: string
  readonly detail: string
}
interface Findings {
  readonly problems?: readonly Finding[]
  readonly warnings?: readonly Finding[]
}

const pathOf = (name: string): string => `/v1/saga-definitions/${encodeURIComponent(name)}`

export function definitionsCommand(): Command {
  const command = new Command('definitions')
    .description('List the definitions, or show one with the sagas that run')
    .argument('[name]', 'of one')
    .option('--json', "print the server's answer as it is")
    .action(async (name: string | undefined, o: SagaOptions) => {
      if (name !== undefined) {
        const shown = await ask<Row>(connectionOf(o), 'GET', pathOf(name))
        return print(o.json ? JSON.stringify(shown) : JSON.stringify(shown, null, 2))
      }
      for (let after = ''; ; ) {
        const query = after === '' ? '' : `?after=${encodeURIComponent(after)}`
        const page = await ask<{ definitions: Row[]; next: string | null }>(
          connectionOf(o),
          'GET',
          `/v1/saga-definitions${query}`,
        )
        if (o.json) for (const one of page.definitions) print(JSON.stringify(one))
        else print(table(['name', 'version', 'publishedAt', 'publishedBy', 'retiredAt'], page.definitions))
        if (page.next === null) return
        after = page.next
      }
    })
  return examples(withConnection(command), 'splitstream sagas definitions', 'splitstream sagas definitions order')
}

export function publishCommand(): Command {
  const command = new Command('publish')
    .description('Publish a definition: a new version, unless the newest says the same')
    .argument('<name>', 'of the saga')
    .argument('<file>', 'JSON, or a module (.ts, .js, .mjs) whose default export is the definition, or has build()')
    .action(async (name: string, file: string, o: SagaOptions) => {
      const answer = await call(connectionOf(o), 'PUT', pathOf(name), await definitionIn(file))
      if (answer.status >= 300) {
        showAll((answer.body as Findings).problems)
        throw problemOf(answer)
      }
      const { version, warnings } = answer.body as Findings & { version: number }
      print(`${name} is published: version ${version}${answer.status === 200 ? ', as before' : ''}`)
      showAll(warnings, 'warning: ')
    })
  return examples(
    withConnection(command),
    'splitstream sagas publish order order.json',
    'splitstream sagas publish order sagas/order.ts',
  )
}

export function retireCommand(): Command {
  const command = new Command('retire')
    .description('Start no new saga with a definition; those that run go on')
    .argument('<name>', 'of the saga')
    .action(async (name: string, o: SagaOptions) => {
      await ask<undefined>(connectionOf(o), 'DELETE', pathOf(name))
      print(`${name} is retired`)
    })
  return examples(withConnection(command), 'splitstream sagas retire order')
}

async function definitionIn(file: string): Promise<unknown> {
  if (extname(file) === '.json') return parseJson(file, await readFile(file, 'utf8'))
  const loaded = (await import(pathToFileURL(resolve(file)).href)) as { readonly default?: unknown }
  const made = loaded.default
  if (made === undefined) throw new Error(`${file} has no default export: that is to be the definition`)
  const builder = made as { build?(): unknown }
  return typeof builder.build === 'function' ? builder.build() : made
}

/** To stderr, so that what is said there can be told from the outcome. */
function showAll(findings: readonly Finding[] = [], prefix = ''): void {
  for (const { path, detail } of findings) process.stderr.write(`${printable(`${prefix}${path}: ${detail}`)}\n`)
}
