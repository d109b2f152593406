import { expect, it } from 'vitest'
import { Findings } from '../findings.ts'
import type { Effect } from './ledger/messages.ts'
import { checkLocks } from './verify-order.ts'

/** @param written what took effect, in order: the saga, the item, and the token if it shows one; `a/x/1 b/x` */
function found(written: string): readonly string[] {
  const findings = new Findings()
  const effects = written.split(' ').map((one, n): Effect => {
    const [saga, item, lock] = one.split('/') as [string, string, string?]
    const call = { order: saga, step: 's', operation: 'charge', undo: false, key: '', fence: 1 } as const
    return { n, saga, at: n, ...call, ...(lock !== undefined && { lock: Number(lock), item }) }
  })
  checkLocks({ effects }, findings)
  return Object.keys(findings.toJSON())
}

it.each([
  ['one after another', 'a/x/1 a/x/1 b/x/3 b/x/3'],
  ['of different items side by side', 'a/x/1 b/y/2 a/x/1 b/y/2'],
  ['beside a saga that takes no lock', 'a/x/1 c/x a/x/1'],
])('sections %s are sound', (_, written) => {
  expect(found(written)).toEqual([])
})

const [overlapped, oldNumber] = ['locked sections overlapped', 'a lock was given under an old number']

it.each([
  ['handed over while it is held', 'a/x/1 b/x/2 a/x/1', overlapped],
  ['given to two under one number', 'a/x/1 b/x/1 a/x/1', overlapped],
  ['lost and given again', 'a/x/1 a/x/2', overlapped],
  ['given under the number of the one before', 'a/x/1 b/x/1', oldNumber],
  ['given under a number from before', 'a/x/2 b/x/1', oldNumber],
])('a lock is found that was %s', (_, written, finding) => {
  expect(found(written)).toEqual([finding])
})
