import { expect, it } from 'vitest'
import { EventsPerRecord } from './lag.ts'

it('a record counts as many events as those that were seen had, about', () => {
  const perRecord = new EventsPerRecord()
  expect(perRecord.eventsIn(3)).toBe(3)
  perRecord.add(50)
  expect(perRecord.eventsIn(3)).toBe(150)
  for (let i = 0; i < 1_000; i++) perRecord.add(20)
  expect(perRecord.eventsIn(3)).toBe(60)
  expect(perRecord.eventsIn(0)).toBe(0)
})
