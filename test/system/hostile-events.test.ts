import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'

/* Requests that mean harm: they are refused, and cost the server next to nothing. */

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

async function post(body: string | Buffer<ArrayBuffer>, headers: Record<string, string>): Promise<[number, unknown]> {
  const response = await fetch(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, ...headers },
    body,
  })
  return [response.status, ((await response.json()) as { code?: string }).code]
}

const binary = (type: string) => ({
  'content-type': type,
  'ce-specversion': '1.0',
  'ce-id': '1',
  'ce-source': '/h',
  'ce-type': 't',
})

describe('a hostile event', () => {
  it('with very many extension attributes is refused', async () => {
    const extensions = Array.from({ length: 50_000 }, (_, i) => `"e${i}":"x"`).join(',')
    const body = `{"id":"1","source":"/h","type":"t",${extensions}}`
    expect(await post(body, { 'content-type': 'application/json' })).toEqual([422, 'EVENT_INVALID'])
  })

  it.each(['{"a":1},"subject":"evil"', '1,"injected":"yes"', '{"a":1', ''.padEnd(3, '}')])(
    'whose binary-mode body is %s cannot reach the envelope',
    async (body) => {
      expect(await post(body, binary('application/json'))).toEqual([400, 'BODY_MALFORMED'])
    },
  )

  it.each(['text/plain', 'application/json'])('whose %s body is not UTF-8 is refused, not changed', async (type) => {
    expect(await post(Buffer.from([0x22, 0xff, 0x22]), binary(type))).toEqual([400, 'BODY_MALFORMED'])
  })
})
