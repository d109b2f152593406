import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { catalogue } from '@splitstream/kernel'
import { expect, test } from 'vitest'
import { configDocPath, renderConfigDoc } from './config-doc.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const api = readFileSync(`${root}docs/api.md`, 'utf8')

/** Every path that a route of the product has, written as in the documents: /v1/keys/{id}. */
function publicPaths(): string[] {
  const files = [
    ...globSync('modules/*/adapters/*{-route,-routes}.ts', { cwd: root }),
    'src/edge/keys/key-routes.ts',
    'src/edge/ops-routes.ts',
    'src/log-routes.ts',
    'src/topology.ts',
  ]
  const paths = files.flatMap((file) => {
    const found = [...readFileSync(`${root}${file}`, 'utf8').matchAll(/\bpath: '(\/[^']*)'/g)].map((match) => match[1]!)
    if (found.length === 0) throw new Error(`no route was found in ${file}`)
    return found
  })
  return [...new Set(paths)].map((path) => path.replace(/:(\w+)/g, '{$1}'))
}

test('docs/config.md is what the schema says (node test/docs/config-doc.ts writes it)', () => {
  expect(readFileSync(configDocPath, 'utf8')).toBe(renderConfigDoc())
})

test('docs/api.md has every error code with its status and whether to retry, and no other code', () => {
  const rows = api.matchAll(/^\| `([A-Z_]+)` *\| *(\d{3}) *\| *(yes|no) *\|/gm)
  const listed = Object.fromEntries([...rows].map(([, code, status, retry]) => [code, `${status} ${retry}`]))
  const expected = Object.entries(catalogue).map(([code, row]) => [
    code,
    `${row.status} ${row.retryable ? 'yes' : 'no'}`,
  ])
  expect(listed).toEqual(Object.fromEntries(expected))
})

test('docs/api.md names every public route', () => {
  const paths = publicPaths()
  expect(paths).toContain('/v1/events')
  expect(paths.filter((path) => !api.includes(`${path}\``))).toEqual([])
})
