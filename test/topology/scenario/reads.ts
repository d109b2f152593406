import { expect } from 'vitest'
import { event, type Page, type Story } from './story.ts'

/** Reads of one's own writes, filters, pages and figures. */
export async function reads(story: Story): Promise<void> {
  const { query } = story
  const ids = (page: Page): string[] => page.events.map(({ id }) => id)

  for (let i = 0; i < 5; i++) {
    const { json } = await story.placed('/v1/events', { body: event(`own-${i}`, { subject: `s${i}` }) })
    expect(ids(await story.events({ subject: `s${i}`, after: json.position! }))).toEqual([`own-${i}`])
    story.acknowledged.add(`own-${i}`)
  }
  story.tell('by type', ids(await story.events({ type: 'order' })))
  story.tell('by subject and time', ids(await story.events({ subject: 'customer-1', from: '2026-03-02T12:00:02Z' })))
  story.tell('by data', ids(await story.events({ where: 'data.n>9 and data.city=Ghent' })))

  const paged: string[] = []
  for (let next: string | null = ''; next !== null; ) {
    const page: Page = await story.events({ limit: '5', ...(next !== '' && { cursor: next }) })
    paged.push(...ids(page))
    next = page.next
  }
  expect(paged.toSorted()).toEqual([...story.acknowledged].sort())
  story.tell('nowhere', (await query.ask('GET', '/v1/events?after=p1-zz.1')).status)
  story.tell('not a condition', (await query.ask('GET', '/v1/events?where=data.n')).status)

  const { status, json } = await query.ask<{ rows: unknown[]; columns: unknown[] }>('POST', '/v1/query', {
    body: JSON.stringify({
      measures: [
        { fn: 'count', as: 'n' },
        { fn: 'sum', field: 'data.n', as: 'sum' },
        { fn: 'quantile', field: 'data.n', q: 0.5, as: 'median' },
      ],
      groupBy: ['data.city'],
      interval: '1d',
      filters: [{ field: 'data.city', op: 'exists', value: true }],
    }),
  })
  expect(status).toBe(200)
  expect(json.rows).toHaveLength(6)
  story.tell('figures', [json.columns, json.rows])
}
