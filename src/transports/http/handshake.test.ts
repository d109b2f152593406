import { defineCallPort } from '@splitstream/kernel'
import { afterEach, expect, it } from 'vitest'
import { askPorts, missingIn } from './handshake.ts'
import { closeAll, deadOrigin, failureOf, listen, secret, serveSmall, smallPort } from './http.fixture.ts'

afterEach(closeAll)

const method = { idempotent: true, budgetMs: 1 }

it('tells what a caller needs and does not find', async () => {
  const served = await askPorts(await serveSmall(), secret)
  expect(missingIn(served, smallPort)).toEqual([])
  const newer = defineCallPort<object>('test.small', 2, { echo: method, added: method } as never)
  expect(missingIn(served, newer)).toEqual(['test.small v2 added'])
  expect(missingIn(served, defineCallPort('test.small', 3, {}))).toEqual(['test.small v3'])
})

it('tells a wrong secret from an instance that is away, and from something else', async () => {
  const [origin, other] = [await deadOrigin(), await listen((_, response) => response.end('{"ports":1}'))]
  expect((await failureOf(askPorts(await serveSmall(), 'another secret, as long'))).code).toBe('CONFIG_INVALID')
  expect((await failureOf(askPorts({ origin }, secret))).code).toBe('UNAVAILABLE')
  expect((await failureOf(askPorts(other, secret))).code).toBe('UNAVAILABLE')
})
