import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { codeOf, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { describeUnless } from '../../../../test/support/suite.ts'
import { askPorts } from '../handshake.ts'
import { callWith, failureOf, type Small, secret } from '../http.fixture.ts'
import { createPortServer } from '../server.ts'
import { Authority, authorityUnavailable, type Issued, inDays } from './authority.fixture.ts'
import { readCredentials } from './credentials.ts'
import { Mounted } from './mounted.fixture.ts'
import { callerOf, Held, type ServeOptions, serveMutual } from './mutual.fixture.ts'
import { Peers } from './peers.ts'
import { type CurrentCredentials, Rotation } from './rotation.ts'

const names = ['DNS:storage', 'IP:127.0.0.1']

describeUnless(authorityUnavailable, 'calls over mutual TLS', () => {
  let ours: Authority
  let theirs: Authority
  let good: Issued
  const closing: (() => Promise<void>)[] = []

  beforeAll(async () => {
    ;[ours, theirs] = await Promise.all([Authority.create('ours'), Authority.create('theirs')])
    good = await ours.issue({ names })
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  afterAll(() => Promise.all([ours?.close(), theirs?.close()]))

  const small: Small = {
    echo: async (input) => input,
    once: async (input) => input,
    items: async () =>
      (async function* () {
        for (let i = 0; ; i++) {
          yield i
          await delay(20)
        }
      })(),
  }

  /** Files and who looks at them, as a process has them. */
  async function mounted() {
    const files = await Mounted.create()
    closing.push(() => files.close())
    await files.become(good, ours.ca)
    const options = { clock: systemClock, logger: silentLogger, everyMs: 10 }
    const rotation = new Rotation(await readCredentials(files.files), options)
    closing.push(() => rotation.stop())
    await rotation.start()
    return { rotation, become: files.become.bind(files) }
  }

  async function serve(
    held: CurrentCredentials = new Held(good, ours.ca),
    o: ServeOptions = {},
    implementation = small,
  ) {
    const served = await serveMutual(held, implementation, o)
    closing.push(served.stop)
    return served
  }

  function caller(
    instance: { origin: string; name?: string },
    held: CurrentCredentials = new Held(good, ours.ca),
    shown?: string,
  ) {
    const made = callerOf(instance, held, shown)
    closing.push(made.close)
    return made
  }

  /** Shakes hands as told and asks for the list of ports. @returns what came back, or the code of the error */
  async function knock(origin: string, options: ConnectionOptions): Promise<string> {
    const { port } = new URL(origin)
    const socket: TLSSocket = connect({ host: '127.0.0.1', port: Number(port), ca: ours.ca, ...options })
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk))
    socket.write('GET /internal/ports HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      socket.on('error', resolve).on('close', () => resolve(undefined))
    })
    socket.destroy()
    return answer === '' ? (error?.code ?? 'closed') : answer
  }

  it('a caller with a certificate of the CA is served, by name and by address', async () => {
    const { origin } = await serve()
    for (const instance of [{ origin }, { origin, name: 'storage' }, { origin, name: '127.0.0.1' }]) {
      const { port, caller: by } = caller(instance)
      expect(await port.echo({ a: 1 }, callWith())).toEqual({ a: 1 })
      expect((await askPorts(instance, by)).ports).toHaveLength(1)
    }
    expect(await knock(origin, { cert: good.cert, key: good.key })).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('nobody else gets beyond the handshake', async () => {
    let runs = 0
    const { origin, warned } = await serve(undefined, {}, { ...small, echo: async () => runs++ })
    const strange = await theirs.issue({ names })
    const expired = await ours.issue({ names, from: inDays(-20), until: inDays(-10) })
    const early = await ours.issue({ names, from: inDays(10), until: inDays(20) })
    for (const shown of [{}, strange, expired, early]) expect(await knock(origin, shown)).not.toContain('HTTP/')
    const { cert, key } = good
    expect(await knock(origin, { cert, key, maxVersion: 'TLSv1.2' })).toBe('EPROTO')
    expect(warned).toEqual(['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'])
    const by = caller({ origin }, new Held(strange, ours.ca))
    expect(codeOf(await failureOf(by.port.echo(1, callWith())))).toMatch(/^(UNKNOWN_OUTCOME|UNAVAILABLE)$/)
    const why = await failureOf(askPorts({ origin }, by.caller))
    expect([why.code, why.message]).toEqual([
      'CONFIG_INVALID',
      expect.stringContaining('does not take the certificate'),
    ])
    expect(runs).toBe(0)
  })

  it.each([
    ['of another CA', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', () => theirs.issue({ names })],
    ['that has ended', 'CERT_HAS_EXPIRED', () => ours.issue({ names, from: inDays(-20), until: inDays(-10) })],
  ])('the log of the server says that a certificate was one %s', async (_, reason, issue) => {
    const { origin, warned } = await serve()
    for (const shown of [await issue(), await issue()]) await knock(origin, shown)
    // One line, however often it is tried.
    await vi.waitFor(() => expect(warned).toEqual([reason]))
  })

  it('plain HTTP is not answered', async () => {
    const { origin } = await serve()
    const socket = connectTcp(Number(new URL(origin).port), '127.0.0.1')
    socket.end('GET /internal/ports HTTP/1.1\r\nHost: x\r\n\r\n')
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk)).on('error', () => {})
    await once(socket, 'close')
    expect(answer).not.toContain('HTTP/1.1 200')
  })

  it.each([
    ['for another name', () => ours.issue({ names: ['DNS:elsewhere'] }), 'other names'],
    ['of another CA', () => theirs.issue({ names }), 'does not cover'],
    ['that has ended', () => ours.issue({ names, from: inDays(-20), until: inDays(-10) }), 'CERT_HAS_EXPIRED'],
  ])('a server with a certificate %s is sent nothing', async (_, issue, says) => {
    let runs = 0
    const held = new Held(await issue(), ours.ca)
    const { origin } = await serve(held, {}, { ...small, echo: async () => runs++ })
    const instance = { origin, name: 'storage' }
    const by = caller(instance)
    expect((await failureOf(by.port.echo(1, callWith()))).code).toBe('UNAVAILABLE')
    const why = await failureOf(askPorts(instance, by.caller))
    expect([why.code, why.message]).toEqual(['CONFIG_INVALID', expect.stringContaining(says)])
    expect(runs).toBe(0)
  })

  it('what counts is the name of the link, and not the address behind it', async () => {
    const named = await serve(new Held(await ours.issue({ names: ['DNS:storage'] }), ours.ca))
    const addressed = await serve(new Held(await ours.issue({ names: ['IP:127.0.0.1'] }), ours.ca))
    const echo = async (origin: string, name?: string) =>
      caller({ origin, ...(name !== undefined && { name }) })
        .port.echo(1, callWith())
        .catch(codeOf)
    expect(await Promise.all([echo(named.origin, 'storage'), echo(named.origin, 'other'), echo(named.origin)])).toEqual(
      [1, 'UNAVAILABLE', 'UNAVAILABLE'],
    )
    expect([await echo(addressed.origin), await echo(addressed.origin, 'storage')]).toEqual([1, 'UNAVAILABLE'])
  })

  it('an address that speaks plain HTTP is told from one that is away', async () => {
    const plain = createServer((_, response) => response.end('x')).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    closing.push(async () => void plain.close())
    const origin = `https://127.0.0.1:${(plain.address() as { port: number }).port}`
    const why = await failureOf(askPorts({ origin }, caller({ origin }).caller))
    expect([why.code, why.message]).toEqual(['CONFIG_INVALID', expect.stringContaining('does not speak TLS')])
  })

  it('only who is on the list may call, when there is one', async () => {
    const { origin } = await serve(undefined, { names: ['query', 'spiffe://acme/ingest'] })
    const held = async (...list: string[]) => new Held(await ours.issue({ names: list }), ours.ca)
    for (const listed of [await held('DNS:other', 'DNS:query'), await held('URI:spiffe://acme/ingest')]) {
      expect(await caller({ origin }, listed).port.echo(1, callWith())).toBe(1)
    }
    for (const unlisted of ['DNS:query.evil', 'URI:spiffe://acme/ingest/x', 'DNS:spiffe']) {
      const by = caller({ origin }, await held(unlisted))
      const refused = await failureOf(by.port.echo(1, callWith()))
      expect([refused.code, refused.message]).toEqual(['CONFIG_INVALID', expect.stringContaining('INTERNAL_TLS_NAMES')])
      await expect(askPorts({ origin }, by.caller)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    }
  })

  it('a secret besides is asked for, too', async () => {
    const { origin } = await serve(undefined, { withSecret: true })
    expect(await caller({ origin }, undefined, secret).port.echo(1, callWith())).toBe(1)
    for (const shown of [undefined, 'another secret, as long as it']) {
      const { port } = caller({ origin }, undefined, shown)
      expect((await failureOf(port.echo(1, callWith()))).code).toBe('CONFIG_INVALID')
    }
  })

  it('nothing is served where neither is set, nor on a plain listener by mistake', async () => {
    const options = { ports: [], clock: undefined as never, logger: undefined as never }
    expect(() => createPortServer(options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    const { refusal } = new Peers([])
    const plain = createServer(createPortServer({ ...options, refusal }).handler).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    closing.push(async () => void plain.close())
    const answer = await fetch(`http://127.0.0.1:${(plain.address() as { port: number }).port}/internal/ports`)
    expect(answer.status).toBe(401)
  })

  it('both sides change their files while calls run, and none of them fails', async () => {
    const [theirFiles, myFiles] = await Promise.all([mounted(), mounted()])
    const { origin } = await serve(theirFiles.rotation)
    const { port } = caller({ origin, name: 'storage' }, myFiles.rotation)
    const answers: unknown[] = []
    const stop = new AbortController()
    const calling = Array.from({ length: 8 }, async () => {
      for (let i = 0; !stop.signal.aborted; i++) answers.push((await port.echo(i, callWith())) === i)
    })
    // A new certificate, then the new CA beside the old one, then certificates of it, then it alone.
    const [again, next] = [await ours.issue({ names }), await theirs.issue({ names })]
    const both = ours.ca + theirs.ca
    for (const [issued, ca] of [
      [again, ours.ca],
      [again, both],
      [next, both],
      [next, theirs.ca],
    ] as const) {
      for (const { rotation, become } of [theirFiles, myFiles]) {
        await become(issued, ca)
        await vi.waitFor(() => expect(rotation.current).toMatchObject({ cert: issued.cert, ca }))
        const before = answers.length
        await vi.waitFor(() => expect(answers.length).toBeGreaterThan(before + 20), { timeout: 10_000 })
      }
    }
    stop.abort()
    await Promise.all(calling)
    expect(answers.every(Boolean)).toBe(true)
  })

  it('whoever the new CA does not cover is out: at once when idle, and soon when at work', async () => {
    const held = new Held(good, ours.ca)
    const { origin } = await serve(held, { partingMs: 200 })
    const revoked = caller({ origin })
    expect(await revoked.port.echo(1, callWith())).toBe(1)
    const items = await revoked.port.items(1, callWith())
    const reading = (async () => {
      for await (const _ of items);
    })()
    held.become(await theirs.issue({ names }), theirs.ca)
    expect(['UNKNOWN_OUTCOME', 'UNAVAILABLE']).toContain((await failureOf(revoked.port.echo(2, callWith()))).code)
    expect((await failureOf(reading)).code).toBe('UNKNOWN_OUTCOME')
    const renewed = caller({ origin }, new Held(await theirs.issue({ names }), theirs.ca))
    expect(await renewed.port.echo(3, callWith())).toBe(3)
  })

  it('no session is taken up again: each connection shows its certificate', async () => {
    const { origin } = await serve()
    let session: Buffer | undefined
    const { port } = new URL(origin)
    const options = { host: '127.0.0.1', port: Number(port), ca: ours.ca, cert: good.cert, key: good.key }
    const first = connect(options).on('session', (given) => (session = given))
    first.write('GET /internal/ports HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    first.resume()
    await once(first, 'close')
    if (session === undefined) return
    const second = connect({ ...options, session })
    await once(second, 'secureConnect')
    expect(second.isSessionReused()).toBe(false)
    second.destroy()
  })
})
