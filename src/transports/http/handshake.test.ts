import { defineCallPort } from '@splitstream/kernel'
import { afterEach, expect, it } from 'vitest'
import { askPorts, lackOf } from './handshake.ts'
import { callerWith, closeAll, deadOrigin, failureOf, listen, secret, serveSmall, smallPort } from './http.fixture.ts'

afterEach(closeAll)

const method = { idempotent: true, budgetMs: 1 }
const setting = 'LINK_TEST'
const small = (version: number) => defineCallPort<object>('test.small', version, { echo: method } as never)

it('tells what a caller needs and does not find, and what to do about it', async () => {
  const served = await askPorts(await serveSmall(), callerWith(secret))
  expect(lackOf(served, { port: smallPort, setting })).toBeUndefined()
  const newer = defineCallPort<object>('test.small', 2, { echo: method, added: method } as never)
  expect(lackOf(served, { port: newer, setting })).toBe(
    'does not serve added of test.small v2: upgrade the process there',
  )
  expect(lackOf(served, { port: newer, methods: ['echo'], setting })).toBeUndefined()
  expect(lackOf(served, { port: small(3), setting })).toBe('serves test.small v2 and not v3: upgrade the process there')
  expect(lackOf(served, { port: small(1), setting })).toBe('serves test.small v2 and not v1: upgrade this process')
  expect(lackOf(served, { port: defineCallPort('test.other', 1, {}), setting })).toBe(
    'does not serve test.other at all: let LINK_TEST lead to a process that does',
  )
})

it('says what the clock of an instance says', async () => {
  const { now } = await askPorts(await serveSmall(), callerWith(secret))
  expect(Math.abs(now! - Date.now())).toBeLessThan(10_000)
})

it('tells a wrong secret from an instance that is away, and from something else', async () => {
  const [origin, other] = [await deadOrigin(), await listen((_, response) => response.end('{"ports":1}'))]
  const wrong = await failureOf(askPorts(await serveSmall(), callerWith('another secret, as long')))
  expect([wrong.code, wrong.message]).toEqual(['CONFIG_INVALID', expect.stringContaining('INTERNAL_SECRET')])
  expect((await failureOf(askPorts({ origin }, callerWith(secret)))).code).toBe('UNAVAILABLE')
  expect((await failureOf(askPorts(other, callerWith(secret)))).code).toBe('UNAVAILABLE')
})
