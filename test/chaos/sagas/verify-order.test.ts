import { expect, it } from 'vitest'
import { type Entry, encodeEntries } from '../../../modules/sagas/domain/entry.ts'
import { Findings } from '../findings.ts'
import type { Arrival, Effect } from './ledger/messages.ts'
import { checkLocks, checkUndoOrder } from './verify-order.ts'

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

const call = { saga: 'a', order: 'o', key: '', fence: 1, at: 0 } as const
const [unreserve, unlabel, uncharge] = (
  [
    ['r', 'release'],
    ['l', 'unlabel'],
    ['c', 'refund'],
  ] as const
).map(([step, operation]): Arrival => ({ ...call, step, operation, undo: true })) as [Arrival, Arrival, Arrival]
const undo = (s: string, t: number, n = 1): Entry => ({ e: 'undo', s, n, t })

function undone(arrivals: readonly Arrival[], entries: readonly Entry[]): readonly string[] {
  const findings = new Findings()
  checkUndoOrder({ arrivals }, new Map([['a', { name: 'chosen', journal: encodeEntries(entries) }]]), findings)
  return Object.keys(findings.toJSON())
}

const came: Entry = { e: 'undo-retry', s: 'l', n: 1, t: 110, due: 500, fx: 'none', c: 'C', d: '' }

it.each([
  ['in the order in which they began', [unreserve, unlabel, uncharge], []],
  ['one late for its head start', [unreserve, uncharge, unlabel], [undo('r', 0), undo('l', 100), undo('c', 350)]],
  ['one back too early', [unreserve, uncharge, unlabel], [undo('r', 0), undo('l', 100), came, undo('c', 120)]],
])('undos are sound: %s', (_, arrivals, entries) => {
  expect(undone(arrivals, entries)).toEqual([])
})

it.each([
  ['begun in another order', [unreserve, uncharge, unlabel], [undo('r', 0), undo('c', 20), undo('l', 400)]],
  ['side by side', [unreserve, uncharge, unlabel], [undo('r', 0), undo('l', 100), undo('c', 349)]],
  ['not in the journal', [unlabel, unreserve], []],
  ['late by one of several', [uncharge, unreserve, unlabel], [undo('r', 0), undo('l', 250), undo('c', 260)]],
])('undos are found that were %s', (_, arrivals, entries) => {
  expect(undone(arrivals, entries)).toEqual(['undone in another order'])
})
