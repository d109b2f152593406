import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { catalogue } from '@splitstream/kernel'
import { expect, test } from 'vitest'
import { allOperations } from '../../src/operations.ts'
import { configDocPath, renderConfigDoc } from './config-doc.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const api = readFileSync(`${root}docs/api.md`, 'utf8')

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

test('docs/security.md names every route that needs no key, and no other', async () => {
  const security = readFileSync(`${root}docs/security.md`, 'utf8')
  const [, named = ''] = /No key is needed for (.*?), and they hold/s.exec(security) ?? []
  const open = Object.values(await allOperations()).filter(({ scope }) => scope === 'public')
  const listed = [...named.matchAll(/`(.+?)`/g)].map(([, path]) => path)
  expect(listed.sort()).toEqual(open.map(({ path }) => path).sort())
})

test('docs/api.md names every public route', async () => {
  const paths = Object.values(await allOperations()).map(({ path }) => path.replace(/:(\w+)/g, '{$1}'))
  expect(paths).toContain('/v1/events')
  expect(paths.filter((path) => !api.includes(`${path}\``))).toEqual([])
})
