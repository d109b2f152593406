import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import { expect, it } from 'vitest'
import { tokenize } from './child/tokens.ts'
import { startEmbeddedClickHouse } from './embedded.ts'

const pieces = [
  "'",
  "'",
  '"',
  '`',
  '\\',
  '/*',
  '*/',
  '--',
  '//',
  '#',
  '# ',
  '#!',
  '\n',
  '\r',
  '\t',
  ' ',
  '\f',
  '$',
  '$a$',
  '(',
  ')',
  '.',
  ',',
  '-',
  '/',
  '*',
  'file',
  'a',
  'x',
  'b',
  '1',
  '0x',
  'e',
  '1e',
  '_',
  ';',
  '{',
  '}',
  ':',
  '@',
  '@@',
  '!',
  '|',
  '||',
  '=',
  '->',
  '1.',
  '.5',
  "x'",
  "b'",
  "''",
  '``',
] // prettier-ignore

const names: Record<string, string> = {
  BareWord: 'word',
  QuotedIdentifier: 'quoted',
  StringLiteral: 'string',
  HereDoc: 'string',
}

/** A small generator with a seed, so that a failure comes again. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

it('reads words and quotes exactly where the engine does, in whatever it accepts', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-cht-'))
  const engine = await startEmbeddedClickHouse({ dataDir: dir })
  const client = createClient({ url: engine.url, username: engine.username, password: engine.password })
  try {
    await client.command({ query: 'CREATE TABLE t (i UInt32, s String) ENGINE = Memory' })
    const random = generator(20_261_124)
    const texts = Array.from({ length: 60_000 }, () =>
      Array.from({ length: 1 + random(14) }, () => pieces[random(pieces.length)]).join(''),
    )
    await client.insert({ table: 't', values: texts.map((s, i) => ({ i, s })), format: 'JSONEachRow' })
    const query =
      'SELECT i, arrayMap(x -> (toUInt32(x.1), toUInt32(x.2), toString(x.3)), tokenizeQuery(s)) AS k FROM t ORDER BY i'
    const rows = await (await client.query({ query, format: 'JSONEachRow' })).json<{
      i: number
      k: [number, number, string][]
    }>()
    let compared = 0
    for (const { i, k } of rows) {
      const text = texts[i]!
      if (k.some(([, , kind]) => kind.startsWith('Error'))) continue // the engine refuses it
      let tokens: ReturnType<typeof tokenize>
      try {
        tokens = tokenize(text)
      } catch {
        continue // we refuse it
      }
      const ours = tokens.filter((t) => /word|quoted|string/.test(t.kind)).map((t) => [t.kind, t.at, t.end] as const)
      const theirs = k.filter(([, , kind]) => kind in names).map(([at, end, kind]) => [names[kind], at, end] as const)
      // Around dots and digits, what looks like a number may be a name to the engine: no matter.
      const counts = ([kind, at, end]: (typeof theirs)[number]): boolean =>
        kind !== 'word' || !/^(0?x[0-9a-f]+|e\d+|\d+(_\d+)*(e\d+)?)$/i.test(text.slice(at, end))
      expect(ours.filter(counts), JSON.stringify(text)).toEqual(theirs.filter(counts))
      compared++
    }
    expect(compared).toBeGreaterThan(3_000)
  } finally {
    await client.close()
    await engine.stop()
    await rm(dir, { recursive: true, force: true })
  }
}, 60_000)
