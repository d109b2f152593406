import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { openApiText } from '../../src/cli/commands/openapi.ts'
import { documentPath } from '../../src/edge/openapi/document-route.ts'
import { lintOpenApi } from './openapi-lint.ts'

const text = readFileSync(documentPath, 'utf8')
// biome-ignore lint/suspicious/noExplicitAny: any document, to be damaged
const copy = (): any => JSON.parse(text)

it('docs/openapi.json is what the operations say: else run `npm run openapi`', async () => {
  expect(text).toBe(await openApiText())
})

it('is a legal OpenAPI 3.1 document whose examples fit', async () => {
  expect(copy().openapi).toMatch(/^3\.1\./)
  expect(await lintOpenApi(copy())).toEqual([])
})

/* The linter is the checker here, so it has to see what it is for. */
it.each<[string, (document: ReturnType<typeof copy>) => unknown, RegExp]>([
  ['responses that are none', (d) => (d.paths['/v1/query'].post.responses = 200), /struct/],
  ['a dead reference', (d) => delete d.components.schemas.Saga, /no-unresolved-refs/],
  ['a type that is none', (d) => (d.components.schemas.Table.properties.position.type = 'text'), /struct/],
  [
    'an example that is not legal',
    (d) => (d.paths['/v1/query'].post.requestBody.content['application/json'].examples.totals.value.limit = 0),
    /no-invalid-media-type-examples/,
  ],
  [
    'an example with a member too many',
    (d) => (d.paths['/v1/events'].post.responses['202'].content['application/json'].examples.accepted.value.more = 1),
    /no-invalid-media-type-examples/,
  ],
  ['two operations of one name', (d) => (d.paths['/health'].get.operationId = 'getMetrics'), /operationId-unique/],
  [
    'a path parameter that is not described',
    (d) => delete d.paths['/v1/keys/{id}'].patch.parameters,
    /path-parameters/,
  ],
])('the linter finds %s', async (_, damage, found) => {
  const document = copy()
  damage(document)
  expect((await lintOpenApi(document)).join('\n')).toMatch(found)
})
