import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { documentPath } from '../../src/edge/openapi/document-route.ts'
import { startFleet } from '../support/fleet.ts'
import { DocumentedClient } from '../system/openapi.fixture.ts'

/* The installation has one document, whichever process a gateway asks. */

let fleet: Awaited<ReturnType<typeof startFleet>>
let urls: readonly string[]

beforeAll(async () => {
  fleet = await startFleet({
    processes: [
      { name: 'writer', modules: ['ingest', 'storage', 'sagas'] },
      { name: 'reader', modules: ['query'] },
    ],
    events: 'local',
  })
  urls = ['writer', 'reader'].map((name) => fleet.process(name).url)
})
afterAll(() => fleet?.stop())

it('every process serves the whole document, with one ETag', async () => {
  const answers = await Promise.all(urls.map((url) => fetch(`${url}/openapi.json`)))
  const text = await readFile(documentPath, 'utf8')
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual([text, text])
  expect(new Set(answers.map(({ headers }) => headers.get('etag'))).size).toBe(1)
})

it('each operation is served by some process', async () => {
  const client = await DocumentedClient.of({ url: urls[0]!, adminKey: '' })
  for (const { path, method } of client.operations()) {
    const target = path.replace(/\{\w+\}/g, '0')
    const statuses = await Promise.all(
      urls.map((url) => fetch(url + target, { method: method.toUpperCase() }).then(({ status }) => status)),
    )
    const served = statuses.some((status) => status !== 404 && status !== 405)
    expect([method, path, served]).toEqual([method, path, true])
  }
})
