import { describe, expect, it } from 'vitest'
import { another, call, database, define, one, order, shop } from './worker-stage.fixture.ts'

describe('a saga', () => {
  it('calls its participants one after another and ends completed', async () => {
    await one.publish('order', order())
    const { id, kind } = await one.start('order', { n: 1 })
    expect(kind).toBe('kept')
    const row = await one.until(id, 'completed')
    expect(shop.paths()).toEqual(['/charge', '/reserve', '/ship'])
    expect(row.ended_at).not.toBeNull()
    expect(row.worker).toBeNull()
  })

  it('is undone in reverse when a step is refused', async () => {
    await one.publish('order', order())
    shop.answer('/ship', () => ({ status: 404 }))
    const { id } = await one.start('order', { n: 1 })
    await one.until(id, 'compensated')
    expect(shop.paths()).toEqual(['/charge', '/reserve', '/ship', '/release', '/refund'])
    expect(new Set(shop.received.map(({ key }) => key)).size).toBe(5)
  })

  it('has its intent committed before its call leaves', async () => {
    await one.publish('order', order())
    const seen: string[] = []
    shop.answer('/charge', async ({ key }) => {
      const row = await one.look(key.split('.')[0]!)
      seen.push(...row.entries.map(({ e }) => e))
      return {}
    })
    const { id } = await one.start('order', { n: 1 })
    await one.until(id, 'completed')
    expect(seen).toEqual(['start', 'go'])
  })

  it('is started once for each key', async () => {
    await one.publish('order', order())
    const key = new Uint8Array(16).fill(7)
    const two = await another('two')
    const starts = await Promise.all([one, two, one, two, one].map((worker) => worker.start('order', { n: 1 }, key)))
    expect(starts.filter(({ kind }) => kind === 'kept')).toHaveLength(1)
    expect(new Set(starts.map(({ id }) => id)).size).toBe(1)
    await one.until(starts[0]!.id, 'completed')
    expect(shop.paths()).toEqual(['/charge', '/reserve', '/ship'])
  })

  it('outlives a NUL in what a participant says', async () => {
    await one.publish('order', order())
    shop.answer('/ship', () => ({ status: 404 }))
    shop.answer('/release', () => ({ status: 500, body: { detail: 'a\0b' } }))
    const { id } = await one.start('order', { n: 1 })
    await expect.poll(async () => (await one.look(id)).problem).toMatch(/^undo of reserve: HTTP_500: 500: a.b$/)
    shop.answer('/release', () => ({}))
    await one.until(id, 'compensated')
  })

  it('shows a stuck undo at once, and does the others meanwhile', async () => {
    await one.publish('order', order())
    shop.answer('/ship', () => ({ status: 404 }))
    shop.answer('/release', () => ({ status: 500 }))
    const { id } = await one.start('order', { n: 1 })
    await expect.poll(() => shop.paths().includes('/refund')).toBe(true)
    const row = await one.look(id)
    expect(row.status).toBe('compensating')
    expect(row.problem).toMatch(/^undo of reserve: HTTP_500/)
    shop.answer('/release', () => ({}))
    await one.until(id, 'compensated')
  })
})

describe('an undo that hangs', () => {
  it('is shown long before its timeout, and the others are done meanwhile', async () => {
    await one.publish('order', { ...order(), participants: { shop: { url: shop.url, timeout: '8s' } } })
    shop.answer('/ship', () => ({ status: 404 }))
    shop.answer('/release', () => ({ hang: true }))
    const { id } = await one.start('order', { n: 1 })
    await expect.poll(() => shop.paths()).toContain('/release')
    const from = performance.now()
    const undone = async () => (await one.look(id)).entries.filter(({ e }) => e === 'undone')
    await expect.poll(undone).toMatchObject([{ s: 'charge' }])
    await expect.poll(async () => (await one.look(id)).problem).toMatch(/^undo of reserve: NO_ANSWER/)
    expect(performance.now() - from).toBeLessThan(7_000)
    expect(shop.paths().filter((path) => path === '/release')).toHaveLength(1)
    shop.answer('/release', () => ({}))
    expect((await one.until(id, 'compensated')).problem).toBeNull()
  })
})

describe('a clock of the database that goes back', () => {
  it('keeps no saga waiting that is in memory, and lets no key be sent for longer', async () => {
    // Its sessions have the true clock, by which the lease of the other one is over.
    await one.stop()
    await database.stepClock(0)
    const two = await another('two')
    const retry = { attempts: 100, initial: '300ms', factor: 1, max: '300ms', jitter: 0, within: '1h' }
    const shopFor3s = { shop: { url: shop.url, timeout: '300ms', keyWindow: '3s' } }
    await two.publish('charge', { participants: shopFor3s, steps: [{ id: 'charge', call: call('/charge'), retry }] })
    const times: number[] = []
    shop.answer('/charge', () => {
      times.push(performance.now())
      return { status: 503 }
    })
    const { id } = await two.start('charge', null)
    await expect.poll(() => times.length, { timeout: 5_000 }).toBeGreaterThan(1)
    const before = times.length
    await database.stepClock(-600_000)
    await expect.poll(() => two.worker.now() - Date.now(), { timeout: 5_000 }).toBeLessThan(-500_000)
    const row = await two.until(id, 'needs_attention')
    await database.stepClock(0)
    expect(row.problem).toMatch(/^charge: RECONCILE/)
    expect(times.length).toBeGreaterThan(before + 1)
    expect(times.at(-1)! - times[0]!).toBeLessThan(3_000)
  }, 20_000)
})

describe('many at once', () => {
  it('are committed in groups, each on its own', async () => {
    await one.publish('order', order())
    shop.answer('/ship', ({ body: _ }) => ({ status: shop.received.length % 7 === 0 ? 404 : 200 }))
    const started = await Promise.all(Array.from({ length: 60 }, (_, n) => one.start('order', { n })))
    const ends = await Promise.all(
      started.map(async ({ id }) => {
        for (;;) {
          const { status } = await one.look(id)
          if (status === 'completed' || status === 'compensated') return status
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      }),
    )
    const charges = shop.paths().filter((path) => path === '/charge').length
    const refunds = shop.paths().filter((path) => path === '/refund').length
    expect(charges).toBe(60)
    expect(refunds).toBe(ends.filter((end) => end === 'compensated').length)
  })

  it('wait in Postgres when the worker has its hands full', async () => {
    const small = await another('small', 2)
    await one.stop()
    await small.publish('order', order())
    const started = await Promise.all(Array.from({ length: 20 }, (_, n) => small.start('order', { n })))
    expect(small.worker.held).toBeLessThanOrEqual(2)
    for (const { id } of started) await small.until(id, 'completed')
    expect(shop.paths()).toHaveLength(60)
  })
})

describe('another worker', () => {
  it('goes on with the sagas of one that was killed, under a greater fencing number and with the same keys', async () => {
    await one.publish('order', order())
    shop.answer('/reserve', () => ({ hang: true }))
    const { id } = await one.start('order', { n: 1 })
    await expect.poll(() => shop.paths()).toEqual(['/charge', '/reserve'])
    await one.kill()
    const two = await another('two')
    shop.answer('/reserve', () => ({}))
    await two.until(id, 'completed')
    const [, first, second] = shop.received
    expect(second?.path).toBe('/reserve')
    expect(second?.key).toBe(first?.key)
    expect(second!.fence).toBeGreaterThan(first!.fence)
  })

  it('takes over at once what a stopping one gives free', async () => {
    await one.publish(
      'pair',
      define([
        { id: 'nap', wait: { for: '500ms' } },
        { id: 'ship', call: call('/ship') },
      ]),
    )
    const { id } = await one.start('pair', null)
    await one.stop()
    const two = await another('two')
    const from = performance.now()
    await two.until(id, 'completed')
    expect(performance.now() - from).toBeLessThan(2_500)
  })

  it('goes on with what is its own without its knowledge: the answer to its claim was lost', async () => {
    await one.publish('nap', define([{ id: 'nap', wait: { for: '60s' } }]))
    await one.publish('order', order())
    const { id: napping } = await one.start('nap', null)
    const [row] = await database.postgres.query<{ id: number }>('SELECT id FROM workers')
    const { id } = await one.start('order', { n: 1 })
    const { entries } = await one.until(id, 'completed')
    const [start] = entries
    const lost = crypto.randomUUID()
    await database.postgres.query(
      `INSERT INTO sagas (id, version, tenant, name, fence, owner, status, seq, journal)
       SELECT $1, version, tenant, name, nextval('fences'), $2, 'running', 1, $3 FROM sagas WHERE id = $4`,
      [lost, row?.id, `${JSON.stringify(start)}\n`, id],
    )
    await one.until(lost, 'completed')
    // What it runs is left alone.
    expect((await one.look(napping)).entries.map(({ e }) => e)).toEqual(['start', 'wait'])
  })

  it('keeps what a zombie writes out', async () => {
    await one.publish('order', order())
    let answerFirst = (_: { status: number }): void => undefined
    const first = new Promise<{ status: number }>((resolve) => {
      answerFirst = resolve
    })
    shop.answer('/charge', () => (shop.received.length === 1 ? first : {}))
    const { id } = await one.start('order', { n: 1 })
    await expect.poll(() => shop.paths()).toEqual(['/charge'])
    // What another worker does to the sagas of one that stands still.
    await database.postgres.query(`UPDATE sagas SET owner = NULL, due_at = clock_timestamp() WHERE id = $1`, [id])
    const two = await another('two')
    await two.until(id, 'completed')
    // The refusal that the first call gets now would undo the saga, if it were taken in.
    answerFirst({ status: 404 })
    await new Promise((resolve) => setTimeout(resolve, 200))
    const row = await two.look(id)
    expect(row.status).toBe('completed')
    expect(row.entries.some(({ e }) => e === 'turn')).toBe(false)
  })
})

describe('definitions', () => {
  it('change fifty times under sagas that run, and fail none: each keeps to its version, also elsewhere', async () => {
    let version = 0
    const next = () =>
      define([
        {
          id: 'charge',
          call: call('/charge', { body: { version } }),
          compensate: call('/refund', { body: { version } }),
        },
        { id: `pause${version}`, wait: { for: '1m' } },
        { id: `step${version}`, call: call('/ship', { body: { version } }) },
      ])
    shop.answer('/ship', ({ body }) => ({ status: (body as { version: number }).version % 5 === 0 ? 404 : 200 }))
    const ids: string[] = []
    for (version = 1; version <= 50; version++) {
      await one.publish('changing', next())
      for (let i = 0; i < 4; i++) ids.push((await one.start('changing', { i })).id)
    }
    await expect.poll(() => one.worker.held, { timeout: 10_000 }).toBe(0)
    // A worker that has seen none of the versions but by the sagas that it takes over.
    await one.stop()
    const two = await another('two')
    await Promise.all(ids.map((id) => two.age(id, 60_000)))
    for (const id of ids) {
      const { version, entries } = await two.until(
        id,
        (await two.look(id)).version % 5 === 0 ? 'compensated' : 'completed',
      )
      const steps = new Set(entries.flatMap((entry) => ('s' in entry && entry.s !== undefined ? [entry.s] : [])))
      expect(steps).toEqual(new Set(['charge', `pause${version}`, `step${version}`]))
      const bodies = shop.received.filter(({ key }) => key.startsWith(id)).map(({ body }) => body)
      expect(bodies).toEqual(bodies.map(() => ({ version })))
    }
  })
})

describe('a long journal', () => {
  it('is made short when the saga is taken over', async () => {
    const wait = { initial: '1ms', factor: 1, max: '1ms', attempts: 1_000, within: '1h' }
    await one.publish('slow', define([{ id: 'ship', call: call('/ship'), retry: wait }]))
    shop.answer('/ship', () => ({ status: 429 }))
    const { id } = await one.start('slow', null)
    await expect.poll(async () => (await one.look(id)).journal.length, { timeout: 20_000 }).toBeGreaterThan(20_000)
    await one.stop()
    const two = await another('two')
    await expect.poll(async () => (await two.look(id)).journal.length, { timeout: 5_000 }).toBeLessThan(10_000)
    shop.answer('/ship', () => ({}))
    await two.until(id, 'completed')
  })
})
