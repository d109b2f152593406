import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { never, outgoing, participants } from './participants.fixture.ts'
import { cert, key } from './tls.fixture.ts'

const seen: { host: string | undefined; name: unknown }[] = []
const server = createServer({ cert, key }, (request, response) => {
  seen.push({ host: request.headers.host, name: (request.socket as TLSSocket).servername })
  request.resume().on('end', () => response.setHeader('content-type', 'application/json').end('{}'))
})
const trusted = getCACertificates('default')
let port: number

beforeAll(async () => {
  setDefaultCACertificates([...trusted, cert])
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  setDefaultCACertificates(trusted)
  server.close()
})

const at = (names: readonly string[]) =>
  participants({ egress: { allow: [...names] }, lookup: async () => [{ address: '127.0.0.1', family: 4 }] })

it('goes to the address that was looked at, by the name of the URL', async () => {
  const calls = at(['payments.test'])
  for (let i = 0; i < 2; i++) {
    const outcome = await calls.call(outgoing(`https://payments.test:${port}`), never)
    expect(outcome).toEqual(expect.objectContaining({ kind: 'answered', status: 200, body: {} }))
  }
  expect(seen).toEqual(Array.from({ length: 2 }, () => ({ host: `payments.test:${port}`, name: 'payments.test' })))
  await calls.close()
})

it('sends nothing to who cannot prove that name', async () => {
  seen.length = 0
  const calls = at(['other.test', '127.0.0.1'])
  for (const host of ['other.test', '127.0.0.1']) {
    const outcome = await calls.call(outgoing(`https://${host}:${port}`), never)
    expect(outcome).toEqual({ kind: 'refused', permanent: false, why: expect.stringContaining('does not match') })
  }
  expect(seen).toEqual([])
  await calls.close()
})
