import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Slots } from './slots.ts'

const open = new AbortController().signal

it('hands a slot to the longest waiter, and gives back only once', async () => {
  const slots = new Slots(1, 8, 1_000)
  const first = await slots.take(open)
  const order: number[] = []
  const waiters = [1, 2].map(async (n) => {
    const giveBack = await slots.take(open)
    order.push(n)
    giveBack()
    giveBack()
  })
  await sleep(5)
  expect(order).toEqual([])
  first()
  await Promise.all(waiters)
  expect(order).toEqual([1, 2])
  await slots.take(open)
  await expect(new Slots(0, 1, 5).take(open)).rejects.toMatchObject({ number: 202 })
})

it('refuses when too many wait, and forgets who went away', async () => {
  const slots = new Slots(1, 1, 1_000)
  const giveBack = await slots.take(open)
  const gone = new AbortController()
  const waiting = slots.take(gone.signal)
  await expect(async () => slots.take(open)).rejects.toMatchObject({
    number: 202,
    type: 'TOO_MANY_SIMULTANEOUS_QUERIES',
  })
  gone.abort(new Error('gone'))
  await expect(waiting).rejects.toThrow('gone')
  giveBack()
  const again = await slots.take(open)
  again()
})
