import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { ask } from '../api.ts'
import { connectionOf, examples, print, withConnection } from '../options.ts'
import { type QueryAnswer, table } from '../table.ts'

/** `splitstream query`: one POST /v1/query, answered as a table. */
export function queryCommand(): Command {
  const command = new Command('query')
    .description('Run a query (the JSON of POST /v1/query) and print its rows')
    .argument('[json]', 'the query; read from stdin when it is left out or -')
    .option('--json', "print the server's answer as it is")
    .action(async (given: string | undefined, options: { url: string; key?: string; json?: boolean }) => {
      const connection = connectionOf(options)
      const source = given === undefined || given === '-' ? await text(process.stdin) : given
      let query: unknown
      try {
        query = JSON.parse(source)
      } catch (error) {
        throw new Error(`the query is not JSON: ${error instanceof Error ? error.message : String(error)}`)
      }
      const answer = await ask<QueryAnswer>(connection, 'POST', '/v1/query', query)
      if (options.json) return print(JSON.stringify(answer))
      print(
        table(
          answer.columns.map(({ name }) => name),
          answer.rows,
        ),
      )
    })
  return examples(
    withConnection(command),
    `splitstream query '{"measures":[{"fn":"count","as":"n"}],"groupBy":["type"],"orderBy":[{"by":"n","dir":"desc"}]}'`,
    'splitstream query < query.json',
  )
}
