import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@splitstream/kernel'
import { afterEach, describe, expect, it } from 'vitest'
import { callWith, clientOf, closeAll, deadOrigin, failureOf, listen, serveSmall } from './http.fixture.ts'
import { ConnectionPool } from './pool.ts'

afterEach(closeAll)

describe('retries', () => {
  it('a refused connection is UNAVAILABLE, for every method', async () => {
    const { port, reports } = clientOf([await deadOrigin()])
    for (const method of ['echo', 'once'] as const) {
      expect((await failureOf(port[method](1, callWith()))).code).toBe('UNAVAILABLE')
    }
    expect(new Set(reports.map(([, outcome]) => outcome))).toEqual(new Set(['unreachable']))
    // A stopped instance has seen nothing, so even a method that is not idempotent may try the next one.
    expect(reports.length).toBe(6)
  })

  it('an instance that is away is replaced by another one, for every method', async () => {
    const { origin } = await serveSmall()
    const { port } = clientOf([await deadOrigin(), origin, await deadOrigin()])
    for (let i = 0; i < 10; i++) {
      expect(await port.echo(i, callWith())).toBe(i)
      expect(await port.once(i, callWith())).toBe(i)
    }
  })

  it('one that stops is replaced by another one, and never saw the call', async () => {
    const seen: unknown[] = []
    const stopping = await serveSmall({ once: async (input) => seen.push(input) })
    await stopping.ports.stop()
    const { origin } = await serveSmall()
    const { port, reports } = clientOf([stopping.origin, origin])
    for (let i = 0; i < 10; i++) expect(await port.once(i, callWith())).toBe(i)
    expect(seen).toEqual([])
    expect(reports).toContainEqual([stopping.origin, 'refused'])
  })

  it('a connection cut after the call was sent: UNKNOWN_OUTCOME; three tries when idempotent, otherwise one', async () => {
    let requests = 0
    const { origin } = await listen((request) => {
      requests++
      request.resume().on('end', () => request.socket.destroy())
    })
    const { port, reports } = clientOf([origin])
    expect((await failureOf(port.once({ a: 1 }, callWith()))).code).toBe('UNKNOWN_OUTCOME')
    expect(requests).toBe(1)
    expect((await failureOf(port.echo({ a: 1 }, callWith()))).code).toBe('UNKNOWN_OUTCOME')
    expect(requests).toBe(4)
    expect(reports.map(([, outcome]) => outcome)).toEqual(['lost', 'lost', 'lost', 'lost'])
  })

  it('a call that may have run never ends as one that did not', async () => {
    const first = await listen((request) => {
      // It dies with the call: what comes after finds nobody.
      request.resume().on('end', () => void first.close())
    })
    const { port } = clientOf([first.origin])
    expect((await failureOf(port.echo(1, callWith()))).code).toBe('UNKNOWN_OUTCOME')
  })

  it('a callee that names its own pause is not asked again', async () => {
    let runs = 0
    const { origin } = await serveSmall({
      echo: async () => {
        runs++
        throw new AppError('UNAVAILABLE', 'The engine starts', { retryAfterMs: 5_000 })
      },
    })
    expect((await failureOf(clientOf([origin]).port.echo(1, callWith()))).retryAfterMs).toBe(5_000)
    expect(runs).toBe(1)
  })

  it('stay within the budget', async () => {
    const { port } = clientOf([await deadOrigin()], { limits: { maxRetries: 1_000, retryDelayMs: 40 } })
    const from = performance.now()
    await failureOf(port.echo(1, callWith(300)))
    // A thousand of them would take 40 s.
    expect(performance.now() - from).toBeLessThan(5_000)
  })

  it('end with their caller', async () => {
    const abort = new AbortController()
    const { port } = clientOf([await deadOrigin()], { limits: { retryDelayMs: 5_000 } })
    const failed = failureOf(port.echo(1, callWith(60_000, { signal: abort.signal })))
    await delay(50)
    abort.abort()
    expect((await failed).code).toBe('CANCELLED')
  })

  it('without any instance: UNAVAILABLE', async () => {
    expect((await failureOf(clientOf([]).port.echo(1, callWith()))).code).toBe('UNAVAILABLE')
  })
})

describe('what the callee does not do', () => {
  it('a budget ends the call of a callee that is deaf, and its connection', async () => {
    let closed = false
    const { origin } = await listen((_, response) => response.on('close', () => (closed = true)))
    const from = performance.now()
    const { port, reports } = clientOf([origin])
    expect((await failureOf(port.echo(1, callWith(150)))).code).toBe('DEADLINE_EXCEEDED')
    expect(performance.now() - from).toBeLessThan(5_000)
    expect(reports).toEqual([[origin, 'late']])
    await expect.poll(() => closed).toBe(true)
  })

  it('an address that takes no connection is given up before the budget ends', async () => {
    // 192.0.2.0/24 is for documentation: no machine has one of its addresses.
    const client = clientOf(['http://192.0.2.1:9'], { limits: { connectTimeoutMs: 100, maxRetries: 0 } })
    const error = await failureOf(client.port.once(1, callWith(10_000)))
    expect(error.code).toBe('UNAVAILABLE')
  })

  it('an answer that is cut is UNKNOWN_OUTCOME', async () => {
    const { origin } = await listen((_, response) => {
      const headers = { 'splitstream-outcome': 'answer', 'content-type': 'application/json', 'content-length': 100 }
      response.writeHead(200, headers)
      response.write('{"half":')
      setTimeout(() => response.destroy(), 20)
    })
    expect((await failureOf(clientOf([origin]).port.once(1, callWith()))).code).toBe('UNKNOWN_OUTCOME')
  })

  it.each([
    ['a page of a proxy', 502, '<html>Bad gateway</html>', {}],
    ['an answer of somebody else', 200, '{"hello":"world"}', {}],
    [
      'an answer that is no JSON',
      200,
      '{"half',
      { 'splitstream-outcome': 'answer', 'content-type': 'application/json' },
    ],
  ])('%s is UNKNOWN_OUTCOME', async (_, status, body, headers) => {
    const { origin } = await listen((_request, response) => response.writeHead(status, headers).end(body))
    expect((await failureOf(clientOf([origin]).port.once(1, callWith()))).code).toBe('UNKNOWN_OUTCOME')
  })

  it.each([true, false])('an answer that is too large is refused (length announced: %s)', async (announced) => {
    const { origin } = await listen((_, response) => {
      const length = announced ? { 'content-length': 5_000 } : {}
      const headers = { 'splitstream-outcome': 'answer', 'content-type': 'application/json', ...length }
      response.writeHead(200, headers).end(`"${'x'.repeat(4_998)}"`)
    })
    const { port } = clientOf([origin], { limits: { maxAnswerBytes: 1_000 } })
    expect((await failureOf(port.echo(1, callWith()))).code).toBe('UNPROCESSABLE')
  })

  it.each([
    ['is cut', (end: () => void) => end()],
    ['ends too early', (_: () => void, write: (line: string) => void) => write('')],
    ['lost an item', (_: () => void, write: (line: string) => void) => write('{"end":3}\n')],
  ])('a stream that %s is UNKNOWN_OUTCOME, never an end', async (_, last) => {
    const { origin } = await listen((_request, response) => {
      response.writeHead(200, { 'splitstream-outcome': 'answer', 'content-type': 'application/x-ndjson' })
      response.write('[1]\n[2]\n')
      setTimeout(
        () =>
          last(
            () => response.destroy(),
            (line) => response.end(line),
          ),
        20,
      )
    })
    const seen: unknown[] = []
    const read = async (): Promise<void> => {
      for await (const item of await clientOf([origin]).port.items(1, callWith())) seen.push(item)
    }
    expect((await failureOf(read())).code).toBe('UNKNOWN_OUTCOME')
    expect(seen).toEqual([1, 2])
  })

  it('a line of a stream is bounded', async () => {
    const { origin } = await serveSmall({ items: async () => one('x'.repeat(10_000)) })
    const { port } = clientOf([origin], { limits: { maxAnswerBytes: 1_000 } })
    const read = async (): Promise<void> => {
      for await (const _ of await port.items(1, callWith()));
    }
    expect((await failureOf(read())).code).toBe('UNPROCESSABLE')
  })

  it('a stream that nobody reads is given up with its budget', async () => {
    const [opened, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { origin } = await serveSmall({ items: async () => counted(opened.resolve, closed.resolve) })
    const from = performance.now()
    await clientOf([origin]).port.items(1, callWith(500))
    await opened.promise
    await closed.promise
    expect(performance.now() - from).toBeGreaterThan(450)
  })
})

describe('connections', () => {
  it('are kept and bounded', async () => {
    const { origin, server } = await serveSmall({ echo: () => delay(5) })
    let connections = 0
    server.on('connection', () => connections++)
    const pool = new ConnectionPool({ maxSockets: 4 })
    const { port } = clientOf([origin], { pool })
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 20 }, () => port.echo(1, callWith())))
    }
    expect(connections).toBe(4)
    pool.close()
  })

  it('more calls than may wait are OVERLOADED, and the places are given back', async () => {
    const { origin } = await serveSmall({ echo: () => delay(20) })
    const pool = new ConnectionPool({ maxCalls: 10, maxSockets: 2 })
    const { port } = clientOf([origin], { pool })
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: 15 }, () => port.once(1, callWith()))
      const failed = (await Promise.allSettled(calls)).filter((call) => call.status === 'rejected')
      expect(failed.map(({ reason }) => (reason as AppError).code)).toEqual(Array(5).fill('OVERLOADED'))
    }
    pool.close()
  })

  it('calls and streams may be quiet for longer than an idle connection is kept', async () => {
    const { origin } = await serveSmall({ echo: () => delay(600, 'slow'), items: async () => quiet(600) })
    const pool = new ConnectionPool({ idleMs: 100 })
    const { port } = clientOf([origin], { pool })
    const items = (await port.items(1, callWith()))[Symbol.asyncIterator]()
    expect(await port.once(1, callWith())).toBe(1)
    expect(await port.echo(1, callWith())).toBe('slow')
    expect(await items.next()).toEqual({ done: false, value: 'after a while' })
    expect(await items.next()).toEqual({ done: true, value: undefined })
    pool.close()
  })

  it('streams do not take those of calls', async () => {
    const { origin } = await serveSmall()
    const pool = new ConnectionPool({ maxSockets: 1, maxStreams: 3 })
    const { port } = clientOf([origin], { pool })
    const streams = await Promise.all([1, 2, 3].map(() => port.items(1, callWith())))
    expect((await failureOf(port.items(1, callWith()))).code).toBe('OVERLOADED')
    expect(await port.echo('free', callWith())).toBe('free')
    const [first] = streams.map((stream) => stream[Symbol.asyncIterator]())
    await first!.next()
    await first!.return!()
    expect(await port.items(1, callWith())).toBeDefined()
    pool.close()
  })
})

async function* one(item: unknown): AsyncGenerator<unknown> {
  yield item
}

async function* quiet(ms: number): AsyncGenerator<string> {
  yield await delay(ms, 'after a while')
}

async function* counted(enter: () => void, leave: () => void): AsyncGenerator<unknown> {
  enter()
  try {
    for (let i = 0; ; i++) yield { i, fill: 'x'.repeat(10_000) }
  } finally {
    leave()
  }
}
