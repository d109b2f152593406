import { describe, expect, it } from 'vitest'
import type { Json } from '../domain/json.ts'
import { tenant } from './worker.fixture.ts'
import { another, call, database, define, one, shop } from './worker-stage.fixture.ts'

describe('waiting', () => {
  it('leaves memory for a long wait and comes back when it is due', async () => {
    await one.publish(
      'nap',
      define([
        { id: 'nap', wait: { for: '30s' } },
        { id: 'ship', call: call('/ship') },
      ]),
    )
    const { id } = await one.start('nap', null)
    await expect.poll(() => one.worker.held, { timeout: 10_000 }).toBe(0)
    const sql = 'SELECT fence FROM sagas WHERE id = $1'
    const fence = await database.postgres.query(sql, [id])
    const restsFor = async () => ((await one.look(id)).due_at?.getTime() ?? 0) - Date.now()
    const rest = await restsFor()
    expect(rest).toBeGreaterThan(20_000)
    expect(rest).toBeLessThanOrEqual(30_000)
    // Woken too early it looks where it stands, and rests again.
    await database.postgres.query(`UPDATE sagas SET due_at = clock_timestamp() WHERE id = $1`, [id])
    await expect.poll(() => database.postgres.query(sql, [id]), { timeout: 5_000 }).not.toEqual(fence)
    await expect.poll(restsFor, { timeout: 5_000 }).toBeGreaterThan(20_000)
    expect(shop.paths()).toEqual([])
    await one.age(id, 30_000)
    await one.until(id, 'completed')
    expect(shop.paths()).toEqual(['/ship'])
  })

  it('holds a lock until the end, one saga after another in the order in which they asked', async () => {
    const steps = [
      { id: 'mutex', lock: { key: 'k' } },
      { id: 'ship', call: call('/ship', { body: '${steps.mutex.fence}' }) },
    ]
    await one.publish('locked', define(steps))
    const two = await another('two')
    let inside = 0
    let most = 0
    shop.answer('/ship', async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 20))
      inside--
      return {}
    })
    const started = []
    for (let n = 0; n < 8; n++) started.push(await (n % 2 ? one : two).start('locked', null))
    for (const { id } of started) await one.until(id, 'completed')
    expect(most).toBe(1)
    const fences = shop.received.map(({ body }) => Number(body as Json))
    expect(fences).toEqual([...fences].sort((a, b) => a - b))
    expect(await database.postgres.query('SELECT 1 FROM locks')).toEqual([])
    expect(await database.postgres.query('SELECT 1 FROM lock_waiters')).toEqual([])
  })

  it('hands on a lock that the first in line was told to do without', async () => {
    const steps = [
      { id: 'mutex', lock: { key: 'k', timeout: '50s' } },
      { id: 'nap', wait: { for: '1h' } },
    ]
    await one.publish('locked', define(steps))
    const until = async (id: string, holds: boolean) => {
      const sql = `SELECT 1 FROM ${holds ? 'locks' : 'lock_waiters'} WHERE saga_id = $1`
      await expect.poll(() => database.postgres.query(sql, [id]), { timeout: 10_000 }).toHaveLength(1)
    }
    const order = async (id: string, action: 'skip' | 'cancel', step?: string) =>
      await one.worker.holdings.deliver([
        { tenant, to: id, message: { kind: 'order', order: { id: crypto.randomUUID(), who: 'w', action, step } } },
      ])
    const { id: holder } = await one.start('locked', null)
    await until(holder, true)
    const { id: skipped } = await one.start('locked', null)
    await until(skipped, false)
    const { id: next } = await one.start('locked', null)
    await until(next, false)
    await order(skipped, 'skip', 'mutex')
    await order(holder, 'cancel')
    await one.until(holder, 'compensated')
    await until(next, true)
    expect((await one.look(skipped)).status).toBe('running')
  })

  it('gives a lock up when it does not come in time', async () => {
    const steps = [
      { id: 'mutex', lock: { key: 'k', timeout: '300ms' } },
      { id: 'ship', call: call('/ship') },
    ]
    await one.publish('locked', define(steps))
    shop.answer('/ship', () => ({ hang: true }))
    const holder = await one.start('locked', null)
    await expect.poll(() => shop.paths()).toEqual(['/ship'])
    const late = await one.start('locked', null)
    const row = await one.until(late.id, 'compensated')
    expect(row.entries.find(({ e }) => e === 'failed')).toMatchObject({ c: 'TIMEOUT' })
    expect((await one.look(holder.id)).status).toBe('running')
  })
})

describe('children', () => {
  const parent = () =>
    define([
      { id: 'sub', child: { saga: 'child', input: '${input}' } },
      { id: 'ship', call: call('/ship') },
    ])
  const child = () => define([{ id: 'charge', call: call('/charge'), compensate: call('/refund') }])

  it('end, and their parent goes on', async () => {
    await one.publish('child', child())
    await one.publish('parent', parent())
    const { id } = await one.start('parent', { n: 1 })
    await one.until(id, 'completed')
    expect(shop.paths()).toEqual(['/charge', '/ship'])
  })

  it('are undone with their parent, also when they were completed', async () => {
    await one.publish('child', child())
    await one.publish('parent', parent())
    shop.answer('/ship', () => ({ status: 404 }))
    const { id } = await one.start('parent', { n: 1 })
    await one.until(id, 'compensated')
    expect(shop.paths()).toEqual(['/charge', '/ship', '/refund'])
  })

  it('are undone by a worker that has room for one saga: the parent makes it while it waits', async () => {
    const small = await another('small', 1)
    await one.stop()
    await small.publish('child', child())
    await small.publish('parent', parent())
    shop.answer('/ship', () => ({ status: 404 }))
    const { id } = await small.start('parent', { n: 1 })
    await small.until(id, 'compensated')
    expect(shop.paths()).toEqual(['/charge', '/ship', '/refund'])
  }, 20_000)

  it('that are not kept any more when they are to be undone leave it to a person', async () => {
    await one.publish('child', child())
    await one.publish('parent', parent())
    shop.answer('/ship', async () => {
      await database.postgres.query(`DELETE FROM sagas WHERE name = 'child'`)
      return { status: 404 }
    })
    const { id } = await one.start('parent', { n: 1 })
    const row = await one.until(id, 'needs_attention')
    expect(row.problem).toMatch(/^sub: UNDO_STUCK: /)
    expect(row.entries.find(({ e }) => e === 'stuck')).toMatchObject({ s: 'sub', c: 'CHILD_GONE' })
  })

  it('that are not published fail their step', async () => {
    await one.publish('parent', define([{ id: 'sub', child: { saga: 'nobody' } }]))
    const { id } = await one.start('parent', null)
    const row = await one.until(id, 'compensated')
    expect(row.entries.find(({ e }) => e === 'failed')).toMatchObject({ c: 'NO_SUCH_SAGA' })
  })
})
