import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError, defineCallPort, silentLogger, systemClock } from '@splitstream/kernel'
import { afterEach, describe, expect, it } from 'vitest'
import { callHeader } from '../call-headers.ts'
import { callWith, clientOf, closeAll, failureOf, secret, serveSmall, smallPort } from './http.fixture.ts'
import { authorizationOf } from './secret.ts'
import { createPortServer } from './server.ts'

afterEach(closeAll)

const authorized = {
  authorization: authorizationOf(secret),
  [callHeader.budget]: '1000',
  [callHeader.tenant]: 'acme',
  [callHeader.principal]: 'system',
  'content-type': 'application/json',
}

async function post(
  origin: string,
  path: string,
  headers: Record<string, string> = {},
  body = '1',
): Promise<{ status: number; problem: Record<string, unknown>; headers: Headers }> {
  const answer = await fetch(`${origin}${path}`, { method: 'POST', headers: { ...authorized, ...headers }, body })
  return { status: answer.status, problem: (await answer.json()) as Record<string, unknown>, headers: answer.headers }
}

const echoPath = '/internal/ports/test.small/v2/echo'

describe('who may call', () => {
  it.each([
    ['nothing', ''],
    ['another secret', authorizationOf('a secret of twenty characters, ö')],
    ['the beginning of the secret', authorizationOf(secret.slice(0, -1))],
    ['the secret without its scheme', secret.slice(0, 16)],
  ])('%s is no pass, for any path', async (_, authorization) => {
    let runs = 0
    const { origin } = await serveSmall({ echo: async () => runs++ })
    for (const path of [echoPath, '/internal/ports/no/v1/no', '/elsewhere']) {
      const { status, problem, headers } = await post(origin, path, { authorization })
      expect([status, problem.code]).toEqual([401, 'UNAUTHENTICATED'])
      expect(headers.get('content-type')).toBe('application/problem+json')
    }
    expect((await fetch(`${origin}/internal/ports`, { headers: { authorization } })).status).toBe(401)
    expect(runs).toBe(0)
  })

  it('a caller with another secret learns that it is the configuration', async () => {
    const { origin } = await serveSmall()
    const { port } = clientOf([origin], { secret: 'another secret of many characters' })
    expect((await failureOf(port.echo(1, callWith()))).code).toBe('CONFIG_INVALID')
  })

  it('a secret that is too short does not start', () => {
    const make = () => createPortServer({ ports: [], secret: '', clock: systemClock, logger: silentLogger })
    expect(make).toThrow(/secret/)
  })
})

describe('what may be called', () => {
  it('says which ports, versions and methods there are', async () => {
    const { origin } = await serveSmall()
    const answer = await fetch(`${origin}/internal/ports`, { headers: authorized })
    expect(await answer.json()).toEqual({
      ports: [{ name: 'test.small', version: 2, methods: ['echo', 'once', 'items'] }],
    })
  })

  it.each([
    ['port', '/internal/ports/test.other/v2/echo', { port: 'test.other' }],
    ['version', '/internal/ports/test.small/v1/echo', { port: 'test.small', versions: [2] }],
    ['method', '/internal/ports/test.small/v2/toString', { port: 'test.small', method: 'toString' }],
    ['method', '/internal/ports/test.small/v2/__proto__', { port: 'test.small', method: '__proto__' }],
  ])('an unknown %s is PORT_UNKNOWN', async (_, path, details) => {
    const { origin } = await serveSmall()
    const { status, problem, headers } = await post(origin, path)
    expect([status, problem.code, problem.details]).toEqual([501, 'PORT_UNKNOWN', details])
    expect(headers.get('splitstream-outcome')).toBe('refused')
  })

  it('two versions of a port are served side by side', async () => {
    const old = defineCallPort<{ echo(): Promise<string> }>('test.small', 1, {
      echo: { idempotent: true, budgetMs: 1 },
    })
    const implementations = { v1: { echo: async () => 'old' }, v2: { echo: async () => 'new' } }
    const { origin } = await serveSmall(
      {},
      {
        ports: [
          { port: old, implementation: () => implementations.v1 },
          { port: smallPort, implementation: () => implementations.v2 },
        ],
      },
    )
    const call = (version: number) => fetch(`${origin}/internal/ports/test.small/v${version}/echo`, request())
    const request = () => ({ method: 'POST', headers: authorized })
    expect([await (await call(1)).json(), await (await call(2)).json()]).toEqual(['old', 'new'])
    const { problem } = await post(origin, '/internal/ports/test.small/v3/echo')
    expect(problem.details).toEqual({ port: 'test.small', versions: [1, 2] })
  })

  it('a caller of a method that is not there gets PORT_UNKNOWN', async () => {
    const { origin } = await serveSmall()
    const newer = defineCallPort<{ added(input: number, call: ReturnType<typeof callWith>): Promise<void> }>(
      'test.small',
      2,
      { added: { idempotent: true, budgetMs: 1 } },
    )
    const port = clientOf([origin]).bind(newer)
    expect((await failureOf(port.added(1, callWith()))).code).toBe('PORT_UNKNOWN')
  })

  it.each([
    ['/internal/ports/test.small/v2', 404, 'NOT_FOUND'],
    ['/internal/ports/test.small/v2/echo/', 404, 'NOT_FOUND'],
    ['/internal/ports/%zz/v2/echo', 400, 'REQUEST_INVALID'],
  ])('%s is %s', async (path, status, code) => {
    const { origin } = await serveSmall()
    const answer = await post(origin, path)
    expect([answer.status, answer.problem.code]).toEqual([status, code])
  })
})

describe('what a call must be', () => {
  it.each([
    ['no budget', { [callHeader.budget]: '' }],
    ['a budget that is no number', { [callHeader.budget]: '1e3' }],
    ['a negative budget', { [callHeader.budget]: '-1' }],
    ['a tenant that is not encoded', { [callHeader.tenant]: 'a b' }],
    ['two tenants', { [callHeader.tenant]: 'a, b' }],
    ['a principal that is no UTF-8', { [callHeader.principal]: '%ff' }],
    ['another version of the contract', { [callHeader.version]: '3' }],
  ])('%s is HEADER_INVALID', async (_, headers) => {
    const { origin } = await serveSmall()
    const { status, problem } = await post(origin, echoPath, headers)
    expect([status, problem.code]).toEqual([400, 'HEADER_INVALID'])
  })

  it.each([
    ['broken JSON', { 'content-type': 'application/json' }, '{', 'BODY_MALFORMED'],
    ['a broken frame', { 'content-type': 'application/vnd.splitstream.frame' }, 'xx', 'BODY_MALFORMED'],
    ['another media type', { 'content-type': 'text/plain' }, 'x', 'MEDIA_TYPE_UNSUPPORTED'],
    ['a spent budget', { [callHeader.budget]: '0' }, '1', 'DEADLINE_EXCEEDED'],
    ['too large an input', {}, `"${'x'.repeat(2_000)}"`, 'BODY_TOO_LARGE'],
  ])('%s never reaches the implementation', async (_, headers, body, code) => {
    let runs = 0
    const { origin, ports } = await serveSmall({ echo: async () => runs++ }, { limits: { maxBodyBytes: 1_000 } })
    const answer = await post(origin, echoPath, headers, body)
    expect(answer.problem.code).toBe(code)
    expect(answer.headers.get('splitstream-outcome')).toBe('refused')
    expect([runs, ports.size]).toEqual([0, 0])
  })

  it('too large an input is an error of its caller', async () => {
    const { origin } = await serveSmall({}, { limits: { maxBodyBytes: 1 << 20 } })
    const { port } = clientOf([origin])
    expect((await failureOf(port.once({ body: new Uint8Array(8 << 20) }, callWith()))).code).toBe('BODY_TOO_LARGE')
    expect(await port.once(1, callWith())).toBe(1)
  })

  it('an input that does not come is given up', async () => {
    const { origin, ports } = await serveSmall({}, { limits: { bodyTimeoutMs: 100 } })
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    const lines = Object.entries({ ...authorized, 'content-length': '100', host: 'x' }).map(([n, v]) => `${n}: ${v}`)
    socket.write(`POST ${echoPath} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n"half`)
    const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
    expect(answer).toMatch(/^HTTP\/1\.1 408[\s\S]*REQUEST_TIMEOUT/)
    socket.destroy()
    await delay(10)
    expect(ports.size).toBe(0)
  })

  it('nothing of a call travels but what its interface says', async () => {
    let keys: string[] = []
    const echo = async (_: unknown, call: object) => {
      keys = [...Object.keys(call), ...Object.keys(Object.getPrototypeOf(call))]
    }
    const { origin } = await serveSmall({ echo })
    await clientOf([origin]).port.echo(1, callWith(1_000, { operator: true, secret: 'x' } as object))
    expect(keys).not.toContain('operator')
    expect(keys).not.toContain('secret')
  })
})

describe('what the server bounds', () => {
  it('calls at once', async () => {
    const { origin } = await serveSmall({ once: () => delay(50) }, { limits: { maxCalls: 3 } })
    const { port } = clientOf([origin])
    const calls = await Promise.allSettled([1, 2, 3, 4, 5].map((i) => port.once(i, callWith())))
    const failed = calls.filter((call) => call.status === 'rejected').map(({ reason }) => reason as AppError)
    expect(failed.map(({ code, retryAfterMs }) => [code, retryAfterMs])).toEqual(Array(2).fill(['OVERLOADED', 1_000]))
  })

  it('bytes in memory', async () => {
    const { origin } = await serveSmall({ once: () => delay(100) }, { limits: { maxInFlightBytes: 3 << 20 } })
    const { port } = clientOf([origin])
    const body = new Uint8Array(1 << 20)
    const calls = await Promise.allSettled([1, 2, 3, 4].map(() => port.once({ body }, callWith())))
    expect(calls.filter((call) => call.status === 'rejected').length).toBe(2)
    // All of it was given back.
    expect(await port.once({ body }, callWith())).toBe(undefined)
  })

  it('a call counts until its implementation is done, although its caller has left', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { origin, ports } = await serveSmall({ once: () => promise })
    expect((await failureOf(clientOf([origin]).port.once(1, callWith(100)))).code).toBe('DEADLINE_EXCEEDED')
    await delay(20)
    expect(ports.size).toBe(1)
    resolve()
    await delay(5)
    expect(ports.size).toBe(0)
  })
})

describe('errors', () => {
  it('what nobody declared goes to the log, and not to the caller', async () => {
    const { origin, logged } = await serveSmall({
      once: async () => {
        throw new TypeError('SELECT secret FROM users')
      },
    })
    const error = await failureOf(clientOf([origin]).port.once(1, callWith()))
    expect(error.code).toBe('INTERNAL')
    expect(`${error.message}${error.stack}`).not.toContain('SELECT')
    expect(logged.join()).toContain('SELECT secret')
  })

  it('an answer that cannot cross is INTERNAL and names the member', async () => {
    const { origin } = await serveSmall({ once: async () => ({ rows: [{ at: new Date() }] }) })
    const error = await failureOf(clientOf([origin]).port.once(1, callWith()))
    expect([error.code, error.message]).toEqual(['INTERNAL', expect.stringContaining('rows[0].at (Date)')])
  })

  it('a stream that is none is INTERNAL', async () => {
    const { origin, ports } = await serveSmall({ items: async () => 5 as never })
    expect((await failureOf(clientOf([origin]).port.items(1, callWith()))).code).toBe('INTERNAL')
    await delay(5)
    expect(ports.size).toBe(0)
  })

  it('an item that cannot cross ends the stream with INTERNAL, and the producer', async () => {
    let ended = false
    const items = async function* (): AsyncGenerator<unknown> {
      try {
        yield 1
        yield { n: 1n }
        yield 2
      } finally {
        ended = true
      }
    }
    const { origin, ports } = await serveSmall({ items: async () => items() })
    const seen: unknown[] = []
    const read = async (): Promise<void> => {
      for await (const item of await clientOf([origin]).port.items(1, callWith())) seen.push(item)
    }
    expect((await failureOf(read())).message).toContain('n (bigint)')
    await delay(5)
    expect([seen, ended, ports.size]).toEqual([[1], true, 0])
  })

  it('details that cannot cross are left out, and the code arrives', async () => {
    const { origin } = await serveSmall({
      once: async () => {
        throw new AppError('CONFLICT', 'It is taken', { details: { n: 1n } })
      },
    })
    expect(await failureOf(clientOf([origin]).port.once(1, callWith()))).toMatchObject({
      code: 'CONFLICT',
      details: undefined,
    })
  })
})

describe('stop', () => {
  it('aborts what does not end in time, then cuts it', async () => {
    const reasons: unknown[] = []
    const { origin, ports } = await serveSmall({
      once: (_, { signal }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason.code))
        return new Promise(() => {})
      },
    })
    const failed = failureOf(clientOf([origin]).port.once(1, callWith(20_000)))
    await delay(50)
    const from = performance.now()
    await ports.stop(100)
    expect(performance.now() - from).toBeLessThan(1_500)
    expect((await failed).code).toBe('UNKNOWN_OUTCOME')
    expect(reasons).toEqual(['STOPPING'])
  })

  it('says to a caller who did not leave that the outcome is unknown, though the implementation takes it for a leave', async () => {
    const { origin, ports } = await serveSmall({
      once: (_, { signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(new AppError('CANCELLED', 'The caller went away'))),
        ),
    })
    const failed = failureOf(clientOf([origin]).port.once(1, callWith(20_000)))
    await delay(50)
    await ports.stop(50)
    expect((await failed).code).toBe('UNKNOWN_OUTCOME')
  })

  it('a stream that listens to its signal ends with what its producer says', async () => {
    const { origin, ports } = await serveSmall({ items: async (_, { signal }) => until(signal) })
    const read = async (): Promise<void> => {
      for await (const _ of await clientOf([origin]).port.items(1, callWith()));
    }
    const failed = failureOf(read())
    await delay(50)
    await ports.stop(50)
    expect((await failed).code).toBe('STOPPING')
  })
})

async function* until(signal: AbortSignal): AsyncGenerator<number> {
  yield 1
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  throw signal.reason
}
