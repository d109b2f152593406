import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const doc = readFileSync(`${root}docs/telemetry.md`, 'utf8')

/** Names of instruments as the source has them, with what stands for a variable part. */
function instruments(): string[] {
  const files = globSync('{src,modules}/**/*.ts', { cwd: root }).filter((file) => !/\.(test|fixture)\.ts$/.test(file))
  return files.flatMap((file) => {
    const text = readFileSync(`${root}${file}`, 'utf8')
    const found = text.matchAll(/\b(?:counter|gauge|histogram|counted|Histogram)\(\s*['`]([^'`]+)['`]/g)
    const kinds = ['splitstream.saga_participants', 'splitstream.dependency']
    return [...found].flatMap(([, name]) => kinds.map((kind) => name!.replace('${prefix}', kind)))
  })
}

test('docs/telemetry.md names every metric, and no other', () => {
  const names = [...new Set(instruments())]
  expect(names.length).toBeGreaterThan(40)
  const listed = [...doc.matchAll(/^\| `([a-z0-9_.]+)` +\| (?:gauge|counter|histogram)/gm)].map(([, name]) => name!)
  // Those of one family share a row, which names the rest of their names.
  const isIn = (name: string): boolean =>
    listed.some((row) => name === row || (name.startsWith(row) && doc.includes(`\`.${name.slice(row.length + 1)}\``)))
  const family = (name: string): string => name.replace(/\.\$\{figure\}$/, '')
  expect(names.map(family).filter((name) => !isIn(name) && !isIn(name.replace(/\.waiting$/, '.running')))).toEqual([])
  expect(listed.filter((row) => !names.some((name) => family(name) === row))).toEqual([])
})

test('docs/telemetry.md names every setting of it', () => {
  const config = readFileSync(`${root}src/config.ts`, 'utf8')
  const settings = [...config.matchAll(/^ {2}(OTEL_\w+):/gm)].map(([, name]) => name!)
  expect(settings.length).toBeGreaterThan(4)
  expect(settings.filter((name) => !doc.includes(`| \`${name}\``))).toEqual([])
})
