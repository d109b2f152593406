import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { openApiDocument } from '../../edge/openapi/document.ts'
import { allOperations } from '../../operations.ts'
import { version } from '../../version.ts'
import { examples, print } from '../options.ts'

/** `splitstream openapi`: the OpenAPI document of this version, made anew from the schemas. No server is needed. */
export function openApiCommand(): Command {
  const command = new Command('openapi')
    .description('Print the OpenAPI 3.1 document of the public HTTP API')
    .option('--out <file>', 'write it to this file instead')
    .action(async ({ out }: { out?: string }) => {
      const text = await openApiText()
      if (out === undefined) return print(text.trimEnd())
      writeFileSync(out, text)
    })
  return examples(command, 'splitstream openapi', 'splitstream openapi --out openapi.json')
}

/** As it is kept in docs/openapi.json and served. */
export async function openApiText(): Promise<string> {
  return `${JSON.stringify(openApiDocument(await allOperations(), version), null, 2)}\n`
}
