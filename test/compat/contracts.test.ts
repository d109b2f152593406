import { describe, expect, it } from 'vitest'
import { breaks, type Contracts } from './additive.ts'
import { readContracts, readPromised } from './contracts.ts'

const promised = readPromised<Contracts>('contracts.json')

/** The promised contracts with one thing changed. */
function changed(change: (contracts: Record<string, never>) => void): Contracts {
  const copy = structuredClone(promised)
  change(copy as Record<string, never>)
  return copy
}

// biome-ignore lint/suspicious/noExplicitAny: plants changes deep inside plain data
const port = (contracts: any, name: string): any => contracts[name]

describe('the contracts of call ports', () => {
  it('are as promised', () => expect(breaks(promised, readContracts())).toEqual([]))

  it.each<[string, (contracts: Record<string, never>) => void, string]>([
    ['a port is gone', (c) => delete c['storage.read'], 'storage.read: the port is gone'],
    ['an array becomes a stream', (c) => (errors(c).type = { stream: errors(c).type.items }), 'is not {"items"'],
    [
      'an answer becomes a stream',
      (c) => (port(c, 'storage.read').methods.list.streams = true),
      'its answer is a stream now',
    ],
    ['a method is gone', (c) => delete port(c, 'storage.read').methods.list, 'the method is gone'],
    [
      'a method is not idempotent any more',
      (c) => (port(c, 'ingest.append').methods.append.idempotent = false),
      'repeat',
    ],
    [
      'an input wants a new member',
      (c) => (input(c).tenant = required('string')),
      'input.tenant: is new and not optional',
    ],
    ['an input takes a member no more', (c) => delete input(c).mode, 'input.mode: is taken no more'],
    [
      'an optional member of an input is wanted',
      (c) => (list(c).before.optional = false),
      'input.before: may be missing',
    ],
    ['an input takes fewer values', (c) => (input(c).mode.type = { is: '"strict"' }), 'input.mode'],
    ['an input takes another type', (c) => (input(c).mediaType.type = { is: 'number' }), 'input.mediaType'],
    ['an answer lacks a member', (c) => delete output(c).accepted, 'output.accepted: is given no more'],
    ['an answer may lack a member', (c) => (output(c).accepted.optional = true), 'output.accepted: may be missing now'],
    ['an answer gives another type', (c) => (output(c).accepted.type = { is: 'string' }), 'output.accepted'],
    [
      'an answer gives new values',
      (c) => (output(c).accepted.type = { anyOf: [{ is: 'number' }, { is: 'null' }] }),
      'null',
    ],
  ])('%s: it breaks', (_, change, reason) => {
    expect(breaks(promised, changed(change)).join('\n')).toContain(reason)
  })

  it.each<[string, (contracts: Record<string, never>) => void]>([
    ['a new port', (c) => Object.assign(c, { 'query.run': { version: 1, methods: {} } })],
    ['a new method', (c) => (port(c, 'storage.read').methods.drop = port(c, 'storage.read').methods.list)],
    ['a new optional member of an input', (c) => (input(c).source = { optional: true, type: { is: 'string' } })],
    ['an input that takes more values', (c) => input(c).mode.type.anyOf.push({ is: '"all"' })],
    ['a new member of an answer', (c) => (output(c).bytes = required('number'))],
    ['an answer that is surer', (c) => (output(c).position.optional = false)],
    ['anything in a new major version', (c) => Object.assign(port(c, 'ingest.append'), { version: 2, methods: {} })],
  ])('%s: it is additive', (_, change) => {
    expect(breaks(promised, changed(change))).toEqual([])
  })
})

const required = (is: string) => ({ optional: false, type: { is } })
const input = (c: Record<string, never>) => port(c, 'ingest.append').methods.append.input.members
const output = (c: Record<string, never>) => port(c, 'ingest.append').methods.append.output.members
const errors = (c: Record<string, never>) => output(c).errors
const list = (c: Record<string, never>) => port(c, 'storage.read').methods.list.input.members
