import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { orderSaga } from '@splitstream/sagas/kit/demo'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { programMissing } from '../support/program-missing.ts'
import { describeUnless } from '../support/suite.ts'
import { isEnded, SagaWorld } from './sagas.fixture.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const node = join(root, 'node_modules/node/bin/node')

let world: SagaWorld
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(root, 'test', '.sagas-cli-'))
  world = await SagaWorld.start({ faults: true })
})
afterAll(async () => {
  await world?.close()
  await rm(dir, { recursive: true, force: true })
})

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

function run(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, ...env }, timeout: 60_000 }
    execFile(node, [file, ...args], options, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, out, err })
    })
  })
}

const cli = (...args: string[]): Promise<Ran> =>
  run('src/cli/bin.ts', ['sagas', ...args], {
    SPLITSTREAM_URL: world.server.url,
    SPLITSTREAM_KEY: world.server.adminKey,
  })

const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(dir, name), text)
  return join(dir, name)
}

describe('splitstream sagas', () => {
  it('publishes JSON, and says what is wrong with it', async () => {
    const order = await file('order.json', JSON.stringify(orderSaga(world.stubs)))
    expect(await cli('publish', 'order', order)).toMatchObject({ code: 0, out: 'order is published: version 1\n' })
    expect((await cli('publish', 'order', order)).out).toBe('order is published: version 1, as before\n')
    const bad = await cli('publish', 'bad', await file('bad.json', '{"steps":[{"id":"a","wait":{"for":"long"}}]}'))
    expect([bad.code, bad.err]).toEqual([1, expect.stringContaining('$.steps[0].wait.for: ')])
    const lost = await cli('publish', 'lost', await file('lost.json', '{"steps":[{"id":"a","child":{"saga":"gone"}}]}'))
    expect([lost.code, lost.err]).toEqual([0, expect.stringContaining('warning: $.steps[0].child.saga: no saga gone')])
    expect(await cli('publish', 'x', join(dir, 'nothing.json'))).toMatchObject({ code: 1 })
  })

  it('publishes what the typed builder makes', async () => {
    const made = await file(
      'rest.ts',
      `import { saga } from '@splitstream/sagas/kit/builder'
       export default saga('rest').steps((s) => s.wait('w', { for: '1h' }))`,
    )
    expect(await cli('publish', 'rest', made)).toMatchObject({ code: 0, out: 'rest is published: version 1\n' })
    const { out } = await cli('definitions')
    expect(out).toMatch(/^name +version/)
    expect(out).toMatch(/^rest +1 /m)
    expect(JSON.parse((await cli('definitions', 'rest')).out)).toMatchObject({
      definition: { steps: [{ id: 'w', wait: { for: '1h' } }] },
    })
  })

  it('starts, lists, shows, tells and acts', async () => {
    await cli('publish', 'order', await file('order.json', JSON.stringify(orderSaga(world.stubs))))
    await cli('publish', 'rest', await file('rest.json', '{"steps":[{"id":"w","wait":{"for":"1h"}}]}'))
    const input = '{"orderId":"o-1","amount":10,"quantity":1,"country":"AQ"}'
    const started = await cli('start', 'order', input, '--wait', '20', '--idempotency-key', 'cli-1')
    const saga = JSON.parse(started.out) as { id: string; status: string }
    expect(saga.status).toBe('compensated')
    const again = await cli('start', 'order', input, '--idempotency-key', 'cli-1')
    expect(JSON.parse(again.out)).toMatchObject({ id: saga.id, status: 'compensated' })
    const shown = await cli('show', saga.id)
    expect(shown.out).toContain(`order v1  ${saga.id}  compensated`)
    expect(shown.out).toMatch(/^charge +call +done +1 +done +done/m)
    expect((await cli('history', saga.id)).out).toMatch(/^ *\+\d+ ms +undo of charge +done$/m)

    const resting = (JSON.parse((await cli('start', 'rest')).out) as { id: string }).id
    const waiting = await world.until(resting, ({ waitingFor }) => waitingFor.length > 0)
    expect((await cli('show', resting)).out).toContain(`instant (w): until ${waiting.waitingFor[0]!.until}`)
    const listed = await cli('list', '--name', 'rest', '--status', 'running', '--json')
    expect(
      listed.out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id),
    ).toContain(resting)
    const refused = await cli('retry', resting, '--step', 'w')
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('step w waits, and has not failed')])
    expect((await cli('cancel', resting, '--note', 'enough')).code).toBe(0)
    expect((await world.until(resting, isEnded)).status).toBe('compensated')
    expect((await cli('history', resting)).out).toContain('cancel, ordered by operator (enough)')
    expect(await cli('retire', 'rest')).toMatchObject({ code: 0 })
    expect((await cli('start', 'rest')).err).toContain('NOT_FOUND')
  })

  it('lists, replays and discards events that ingest refused', async () => {
    const tell = { steps: [{ id: 'tell', emit: { type: '${input.type}', subject: 's' } }] }
    await cli('publish', 'tell', await file('tell.json', JSON.stringify(tell)))
    const input = JSON.stringify({ type: 't'.repeat(2_000) })
    for (let n = 0; n < 2; n++) expect((await cli('start', 'tell', input)).code).toBe(0)
    const listed = async (...more: string[]) =>
      (await cli('refused', 'list', '--json', ...more)).out
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { id: string; event: object; settled: string }]))
    await expect.poll(async () => (await listed()).length, { timeout: 20_000, interval: 500 }).toBe(2)
    const [second, first] = await listed()
    const again = await cli('refused', 'replay', first!.id)
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('type is longer than')])
    const event = JSON.stringify({ ...first!.event, type: 'told' })
    const sent = await cli('refused', 'replay', first!.id, '--event', event, '--note', 'too long')
    expect([sent.code, sent.out]).toEqual([0, expect.stringContaining(`${first!.id} is sent: step tell of `)])
    expect((await cli('refused', 'discard', second!.id)).out).toContain('is discarded')
    expect(await listed()).toEqual([])
    expect(await listed('--settled')).toMatchObject([
      { id: second!.id, settled: 'discarded', settledBy: 'operator' },
      { id: first!.id, settled: 'sent', note: 'too long', code: 'EVENT_INVALID' },
    ])
  })

  it('shows and changes the secret of signatures; requests are signed with both for a while', async () => {
    const signatures: string[] = []
    const server = createServer((request, response) => {
      signatures.push(String(request.headers['webhook-signature']))
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const shop = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    const definition = { participants: { shop }, steps: [{ id: 'a', call: { participant: 'shop', path: '/' } }] }
    await cli('publish', 'signed', await file('signed.json', JSON.stringify(definition)))
    const signaturesOfOne = async () => {
      expect(JSON.parse((await cli('start', 'signed', '--wait', '20')).out)).toMatchObject({ status: 'completed' })
      return signatures.at(-1)!.split(' ').length
    }
    try {
      const before = await cli('signing-secret')
      expect([before.code, before.out]).toEqual([0, expect.stringMatching(/^whsec_\S{44}\n$/)])
      expect(await signaturesOfOne()).toBe(1)
      const changed = await cli('signing-secret', '--change', '--grace', '600')
      expect([changed.code, changed.out]).toEqual([0, expect.stringMatching(/^whsec_\S{44}\n$/)])
      expect(changed.out).not.toBe(before.out)
      expect(changed.err).toContain(before.out.trim())
      expect(await cli('signing-secret')).toMatchObject({ out: changed.out, err: changed.err })
      expect(await signaturesOfOne()).toBe(2)
      const again = await cli('signing-secret', '--change')
      expect([again.code, again.err]).toEqual([1, expect.stringContaining('graceSeconds 0')])
      const atOnce = await cli('signing-secret', '--change', '--grace', '0')
      expect([atOnce.code, atOnce.err]).toEqual([0, ''])
      expect(await signaturesOfOne()).toBe(1)
    } finally {
      server.close()
    }
  })

  it('tries the conformance of a participant', async () => {
    const description = {
      url: `${world.stubs.url}/payments`,
      do: { path: '/charges', body: { orderId: '{{saga}}', amount: 12.5 } },
      undo: { path: '/refunds', body: { orderId: '{{saga}}' } },
      refused: { path: '/charges', body: { orderId: '{{saga}}', amount: 20_000 } },
      observe: { path: '/balance', pointer: '/balance' },
      unit: 12.5,
    }
    const good = await cli('conformance', await file('payments.json', JSON.stringify(description)))
    expect([good.code, good.out]).toEqual([0, expect.stringContaining('12 passed, 0 failed')])
    const wrong = { ...description, unit: 13, cases: ['duplicate'] }
    const bad = await cli('conformance', await file('wrong.json', JSON.stringify(wrong)))
    expect([bad.code, bad.out]).toEqual([1, expect.stringContaining('0 passed, 1 failed')])
    expect((await cli('conformance', await file('none.json', '{}'))).code).toBe(2)
  })

  it.each([
    ['list', '--help'],
    ['resolve', '--help'],
    ['conformance', '--help'],
  ])('%s %s shows an example', async (...args) => {
    expect(await cli(...args)).toMatchObject({
      code: 0,
      out: expect.stringContaining('$ splitstream sagas') as string,
    })
  })
})

describeUnless(programMissing('curl'), 'the quick start of the guide', () => {
  it('works as it is written', async () => {
    const guide = await readFile(join(root, 'docs/sagas.md'), 'utf8')
    const [, block = ''] = /## Quick start[\s\S]*?```sh\n([\s\S]*?)```/.exec(guide) ?? []
    const answers: { id?: string }[] = []
    for (const command of block.split('\n\n')) {
      const here = command.replaceAll('localhost:8080', new URL(world.server.url).host)
      answers.push(await shell(here.replace('019…', String(answers[1]?.id)).replace('curl ', 'curl -s ')))
      if (answers.length === 2) await world.until(answers[1]!.id!, ({ waitingFor }) => waitingFor.length > 0)
    }
    expect(answers).toMatchObject([
      { warnings: [] },
      { status: 'running' },
      { waitingFor: [{ for: 'event', step: 'payment' }] },
      { accepted: 1 },
      { id: answers[1]!.id, status: 'completed', output: { amount: 12.5 } },
    ])
  })
})

/** What a command of the documents prints, JSON. */
function shell(script: string): Promise<{ id?: string }> {
  const env = { ...process.env, KEY: world.server.adminKey }
  return new Promise((resolve, reject) => {
    execFile('sh', ['-c', script], { env, timeout: 30_000 }, (error, out, told) => {
      if (error) reject(new Error(`${told}\nThe commands of the guide need a POSIX shell`, { cause: error }))
      else resolve(JSON.parse(out) as { id?: string })
    })
  })
}

it('the demo runs, and its ledger agrees with the sagas', async () => {
  const data = await mkdtemp(join(tmpdir(), 'splitstream-demo-'))
  try {
    const { code, out } = await run('test/support/demo-saga/main.ts', ['--data-dir', data])
    expect([code, out]).toEqual([0, expect.stringContaining('order-7: the refund fails, and is tried again')])
    expect(out).toMatch(/^all +199\.5 +6 +3$/m)
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})
