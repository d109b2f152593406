import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'

/* The commands as a user gives them, to a server that `splitstream start` runs. Those of sagas: sagas-cli.test.ts. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const node = join(root, 'node_modules/node/bin/node')
const bin = join(root, 'src/cli/bin.ts')

let server: RunningServer
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-cli-'))
  server = await startServer({ entry: bin, args: ['start'], cwd: folder })
})
afterAll(async () => {
  const code = await server?.stop()
  await rm(folder, { recursive: true, force: true })
  expect(code, 'the exit code of start').toBe(0)
})

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** @param key the operator's when not given */
function cli(args: readonly string[], key = server.adminKey, input = ''): Promise<Ran> {
  const env = { ...process.env, SPLITSTREAM_URL: server.url, SPLITSTREAM_KEY: key }
  return new Promise((resolve) => {
    const child = execFile(node, [bin, ...args], { cwd: folder, env, timeout: 60_000 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, out, err })
    })
    child.stdin?.end(input)
  })
}

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await cli(args)
  expect([code, err]).toEqual([0, expect.not.stringContaining('splitstream:')])
  return out
}

const query = (type: string) =>
  JSON.stringify({
    measures: [
      { fn: 'count', as: 'n' },
      { fn: 'sum', field: 'data.n', as: 'sum' },
    ],
    filters: [{ field: 'type', op: 'eq', value: type }],
  })

// Twenty short processes: seconds on an idle machine, and a minute on a busy one.
describe('splitstream', { timeout: 180_000 }, () => {
  it('keys: makes, lists, rotates and revokes them', async () => {
    const lineOf = (out: string, name: string): string => new RegExp(`^${name}: (\\S+)$`, 'm').exec(out)?.[1] ?? ''
    const made = await done('keys', 'create', 'shop', '--scopes', 'ingest,query', '--tenant', 'acme')
    const [id, old] = [lineOf(made, 'id'), lineOf(made, 'key')]
    expect(made).toMatch(/^tenant: acme$/m)
    expect(await done('keys', 'list')).toMatch(new RegExp(`^${id} .*shop .*acme`, 'm'))
    expect(await done('keys', 'list')).not.toContain(old)
    const works = async (key: string) => (await cli(['query', query('none')], key)).code === 0
    expect(await works(old)).toBe(true)

    const rotated = lineOf(await done('keys', 'rotate', id, '--grace', '0'), 'key')
    expect([await works(old), await works(rotated)]).toEqual([false, true])
    expect(await done('keys', 'revoke', id)).toBe(`revoked ${id}\n`)
    const refused = await cli(['query', query('none')], rotated)
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('UNAUTHENTICATED')])
    expect((await cli(['keys', 'list'], '')).err).toContain('an API key is needed: --key or SPLITSTREAM_KEY')
  })

  it('load and query: a file that is loaded twice is stored once', async () => {
    const path = join(folder, 'orders.ndjson')
    await writeFile(path, Array.from({ length: 1_000 }, (_, n) => `{"n":${n}}\n`).join(''))
    const load = ['load', path, '--type', 'order', '--batch', '300']
    expect(await done(...load)).toMatch(/^accepted +1,000, all stored and visible to queries$/m)
    const once = /^ *n +sum\n[- ]+\n *1000 +499500\n$/
    expect(await done('query', query('order'))).toMatch(once)
    expect(await done(...load, '--restart')).toMatch(/^rows read +1,000$/m)
    expect(await done('query', query('order'))).toMatch(once)
    // As it is, and from stdin.
    const { out } = await cli(['query', '--json'], server.adminKey, query('order'))
    expect(JSON.parse(out)).toMatchObject({ rows: [{ n: 1_000, sum: 499_500 }] })
    const wrong = await cli(['query', '{"measures":[]}'])
    expect([wrong.code, wrong.err]).toEqual([
      1,
      expect.stringContaining('splitstream: 400 REQUEST_INVALID: $.measures'),
    ])
    expect(await cli(['load', join(folder, 'gone.ndjson')])).toMatchObject({ code: 1 })
  })

  it('tail: prints an event when it is stored, and ends after so many', async () => {
    const send = async (id: string): Promise<string> => {
      const answer = await fetch(`${server.url}/v1/events?wait=stored`, {
        method: 'POST',
        headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ id, source: '/cli', type: 'told', data: { n: Number(id) } }),
      })
      return ((await answer.json()) as { position: string }).position
    }
    const tail = ['tail', '--type', 'told', '--count', '1', '--after', await send('1')]
    const telling = [cli(tail), cli([...tail, '--json'])]
    await send('2')
    const [line, whole] = await Promise.all(telling)
    expect([line?.code, line?.out]).toEqual([0, expect.stringMatching(/^\S+ {2}told {2}\/cli {2}\{"n":2\}\n$/)])
    expect([whole?.code, JSON.parse(whole?.out ?? '')]).toEqual([0, expect.objectContaining({ id: '2' })])
  })

  it('topology: as the settings say, and as the server does', async () => {
    const planned = await done('topology')
    expect(planned).toMatch(/^modules here: ingest, storage, query, sagas$/m)
    expect(planned).toMatch(/^Postgres +embedded, in DATA_DIR +POSTGRES_URL$/m)
    const live = JSON.parse(await done('topology', '--url', server.url, '--json')) as { modules: string[] }
    expect(live.modules).toEqual(['ingest', 'storage', 'query', 'sagas'])
  })

  it('deadletters: lists none where there are none, and says that one is not there', async () => {
    expect(await done('deadletters', 'list')).toMatch(/^id +code +reason +failedAt +replayedAt\n[- ]+\n$/)
    expect(await done('deadletters', 'list', '--json')).toBe('')
    const gone = await cli(['deadletters', 'delete', '0-4711'])
    expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('NOT_FOUND')])
  })

  it('each shows an example', async () => {
    const commands = ['start', 'load', 'query', 'tail', 'keys', 'deadletters', 'topology']
    const helps = await Promise.all(commands.map((command) => done(command, '--help')))
    for (const [i, help] of helps.entries()) expect(help).toMatch(new RegExp(`\\$ .*splitstream ${commands[i]}`))
  })
})
