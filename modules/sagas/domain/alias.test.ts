import { isUuid } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { aliasOf, childAlias, knownAs } from './alias.ts'
import { planSaga } from './plan.ts'
import { buildRequest } from './request.ts'
import { call } from './saga.fixture.ts'
import { foldEntries } from './state.ts'

const event = { tenant: 't', saga: 'order', source: '/shop', id: '7' }
const startOf = (alias?: string) =>
  ({ e: 'start', t: 0, at: 0, in: null, ...(alias !== undefined && { from: { alias } }) }) as const
const go = { e: 'go', s: 'a', n: 1, t: 0 } as const
const started = (alias?: string) => foldEntries([startOf(alias)])

describe('the alias of a saga that an event started', () => {
  it('is a UUID of version 8 that follows from the event and the definition', () => {
    expect(aliasOf(event)).toBe(aliasOf({ ...event }))
    expect(isUuid(aliasOf(event))).toBe(true)
    expect(aliasOf(event)).toMatch(/^.{14}8.{4}[89ab]/)
  })

  it.each([
    { tenant: 'u' },
    { saga: 'refund' },
    { source: '/shop/7', id: '' },
    { source: '/sho', id: 'p7' },
    { id: '8' },
  ])('is another one with %o', (other) => expect(aliasOf({ ...event, ...other })).not.toBe(aliasOf(event)))

  it('is what participants know it by, and not its id', () => {
    const definition = { participants: { p: { url: 'http://p.test' } }, steps: [call('a')] }
    const plan = planSaga('order', 1, definition as Parameters<typeof planSaga>[2])
    const of = (id: string, alias?: string) => {
      const state = started(alias)
      const request = buildRequest({ id, plan, state: foldEntries([startOf(alias), go]) }, 'a', false, false)
      return { known: knownAs({ id, state }), key: request.idempotencyKey, saga: request.headers['splitstream-saga'] }
    }
    expect(of('one', 'alias')).toEqual({ known: 'alias', key: 'alias.a.do', saga: 'alias' })
    expect(of('two', 'alias')).toEqual(of('one', 'alias'))
    expect(of('one')).toEqual({ known: 'one', key: 'one.a.do', saga: 'one' })
  })

  it('gives its children aliases: one for each step, and another one when an operator has it begun once more', () => {
    const alias = aliasOf(event)
    const ordered = foldEntries([startOf(alias), { e: 'by', t: 1, m: 'order', who: 'key', a: 'retry', s: 'a' }])
    const children = [childAlias(started(alias), 'a'), childAlias(started(alias), 'b'), childAlias(ordered, 'a')]
    expect(new Set([alias, ...children]).size).toBe(4)
    expect(childAlias(started(alias), 'a')).toBe(children[0])
    expect(childAlias(started(), 'a')).toBeUndefined()
  })
})
