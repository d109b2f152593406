import { describe, expect, expectTypeOf, it } from 'vitest'
import { cel, type Expression, has, type Maybe, orElse, type Ref, saga } from './index.ts'

interface Order {
  id: string
  total: number
  mail?: string
  lines: { sku: string; quantity: number }[]
  toString: string
}

const order = saga('order')
  .description('Charge, reserve, ship')
  .input<Order>()
  .participants({
    payments: { url: 'https://payments.internal', headers: { 'x-order': cel`input.id` }, timeout: '5s' },
    stock: { url: 'http://stock.internal:9000' },
  })
  .trigger('order.placed', ({ event }) => ({ when: cel`${event.data('total')} > 0`, input: event.data }))
  .idempotencyKey('optional')
  .deadline('10d')
  .steps((s) =>
    s
      .lock('lock1', ({ input }) => ({ key: `order-${input.id}` }))
      .call('charge', ({ input, own }) => ({
        participant: 'payments',
        path: `/charges/${input.id}`,
        body: { amount: cel`${input.total} * 100`, lines: input.lines, first: input.lines(0, 'sku') },
        output: ({ response }) => ({ id: cel<string>`${response.body('id')}`, ok: true as const }),
        retry: { attempts: 3 },
        compensate: {
          participant: 'payments',
          path: `/refunds/${input.id}`,
          body: { charge: orElse(own('id'), null) },
          after: ['reserve'],
        },
      }))
      .parallel('both', (p) =>
        p
          .branch((b) =>
            b.call('reserve', ({ steps }) => ({
              participant: 'stock',
              path: '/reservations',
              body: { charge: steps.charge.id },
              compensate: { participant: 'stock', path: '/releases' },
            })),
          )
          .branch((b) => b.emit('told', ({ saga }) => ({ type: 'order.charged', data: { saga: saga.id } }))),
      )
      .choice('large', (c) =>
        c
          .when(
            ({ input }) => cel`${input.total} > ${1000}`,
            (b) =>
              b.waitFor('approve', ({ input }) => ({
                type: 'order.approved',
                match: { subject: input.id, 'data.level': 2 },
                timeout: '2d',
                output: ({ event }) => event.data('by'),
              })),
          )
          .otherwise((b) => b.wait('pause', { for: '1h' })),
      )
      .call('ship', ({ steps, input }) => ({
        participant: 'stock',
        path: '/shipments',
        body: { by: orElse(steps.approve, 'nobody'), to: cel`has(${input.mail}) ? ${input.mail} : "none"` },
        pivot: true,
      }))
      .child('thanks', ({ input }) => ({
        saga: 'send-mail',
        input: { to: orElse(input.mail, null), text: `Shipped ${input.id}` },
      })),
  )
  .output(({ steps }) => ({ charge: steps.charge.id, parcel: steps.ship('parcel', 'id'), waited: has(steps.approve) }))

describe('the builder', () => {
  it('emits the JSON that one would write', () => {
    expect(order.name).toBe('order')
    expect(order.build()).toEqual({
      description: 'Charge, reserve, ship',
      participants: {
        payments: { url: 'https://payments.internal', headers: { 'x-order': '${input.id}' }, timeout: '5s' },
        stock: { url: 'http://stock.internal:9000' },
      },
      trigger: { type: 'order.placed', when: '${event.data.total > 0}', input: '${event.data}' },
      idempotencyKey: 'optional',
      deadline: '10d',
      steps: [
        { id: 'lock1', lock: { key: 'order-${input.id}' } },
        {
          id: 'charge',
          call: {
            participant: 'payments',
            path: '/charges/${input.id}',
            body: { amount: '${input.total * 100}', lines: '${input.lines}', first: '${input.lines[0].sku}' },
          },
          output: { id: '${response.body.id}', ok: true },
          retry: { attempts: 3 },
          compensate: {
            participant: 'payments',
            path: '/refunds/${input.id}',
            body: { charge: '${steps.?charge.?id.orValue(null)}' },
            after: ['reserve'],
          },
        },
        {
          id: 'both',
          parallel: [
            [
              {
                id: 'reserve',
                call: { participant: 'stock', path: '/reservations', body: { charge: '${steps.charge.id}' } },
                compensate: { participant: 'stock', path: '/releases' },
              },
            ],
            [{ id: 'told', emit: { type: 'order.charged', data: { saga: '${saga.id}' } } }],
          ],
        },
        {
          id: 'large',
          choice: [
            {
              when: '${input.total > 1000}',
              steps: [
                {
                  id: 'approve',
                  waitFor: {
                    type: 'order.approved',
                    match: { subject: '${input.id}', 'data.level': 2 },
                    timeout: '2d',
                  },
                  output: '${event.data.by}',
                },
              ],
            },
          ],
          otherwise: [{ id: 'pause', wait: { for: '1h' } }],
        },
        {
          id: 'ship',
          call: {
            participant: 'stock',
            path: '/shipments',
            body: {
              by: '${steps.?approve.orValue("nobody")}',
              to: '${has(input.mail) ? input.mail : "none"}',
            },
          },
          pivot: true,
        },
        {
          id: 'thanks',
          child: { saga: 'send-mail', input: { to: '${input.?mail.orValue(null)}', text: 'Shipped ${input.id}' } },
        },
      ],
      output: { charge: '${steps.charge.id}', parcel: '${steps.ship.parcel.id}', waited: '${has(steps.approve)}' },
    })
  })

  it('throws what publishing would throw', () => {
    const wrong = saga('x').steps((s) => s.wait('a', { for: '1 hour' }).lock('b', { key: '' }))
    expect(() => wrong.build()).toThrow(
      expect.objectContaining({
        code: 'UNPROCESSABLE',
        details: { problems: [{ path: '$.steps[0].wait.for', detail: expect.any(String) }] },
      }),
    )
  })

  it('starts no step twice when a part of a saga is used twice', () => {
    const start = saga('x').participants({ p: { url: 'http://p' } })
    const one = start.steps((s) => s.call('a', { participant: 'p', path: '/a' }))
    const two = start.steps((s) => s.call('b', { participant: 'p', path: '/b' }))
    expect([one, two].map((each) => each.build().steps.map(({ id }) => id))).toEqual([['a'], ['b']])
  })
})

describe('expressions in TypeScript', () => {
  const source = (expression: Expression | Ref) => `${expression}`

  it('write places', () => {
    saga('x')
      .input<Order>()
      .steps((s) =>
        s.wait('a', ({ input, steps }) => {
          expect(source(input)).toBe('${input}')
          expect(source(input.id)).toBe('${input.id}')
          expect(source(input('a-b', 0, 'in'))).toBe('${input["a-b"][0]["in"]}')
          expect(source(input('name')('length'))).toBe('${input.name.length}')
          expect(JSON.stringify({ steps })).toBe('{"steps":"${steps}"}')
          return { for: '1s' }
        }),
      )
  })

  it('write literals that nothing breaks out of', () => {
    const text = 'a" + input.secret + "\n${x}'
    expect(source(cel`${text} == ${[1, null, { a: -1.5 }]}`)).toBe(
      '${"a\\" + input.secret + \\"\\n${x}" == [1,null,{"a":-1.5}]}',
    )
  })

  it('keep together what they are put together from', () => {
    const sum = cel<number>`1 + 2`
    expect(source(cel`${sum} * ${cel`3`}`)).toBe('${(1 + 2) * 3}')
  })

  it('ask for each level of a place', () => {
    saga('x').steps((s) =>
      s.wait('a', ({ input }) => {
        expect(source(has(input('a', 'b')))).toBe('${has(input.a) && has(input.a.b)}')
        expect(source(orElse(input('a', 'b c', 0), cel`1 + 1`))).toBe('${input.?a[?"b c"][?0].orValue((1 + 1))}')
        expect(() => has(input('a-b'))).toThrow(TypeError)
        expect(() => has(input)).toThrow(TypeError)
        return { for: '1s' }
      }),
    )
  })
})

describe('types', () => {
  const start = saga('x')
    .input<Order>()
    .participants({ p: { url: 'http://p' } })

  it('know the input, the steps and what they give', () => {
    start.steps((s) =>
      s
        .call('a', ({ input, steps, own }) => {
          expectTypeOf(input.id).toEqualTypeOf<Ref<string>>()
          expectTypeOf(input.mail).toEqualTypeOf<Maybe<string>>()
          expectTypeOf(input.lines).toEqualTypeOf<Ref<Order['lines']>>()
          expectTypeOf(own).toEqualTypeOf<Maybe>()
          // @ts-expect-error there is no such member
          input.total.cents
          // @ts-expect-error no step has run
          steps.a
          return {
            participant: 'p',
            path: '/',
            output: ({ response }) => ({
              status: response.status,
              list: [cel<boolean>`true`],
              word: 'x',
              any: response.body,
            }),
          }
        })
        .call('b', ({ steps }) => {
          expectTypeOf<keyof typeof steps>().toEqualTypeOf<'a'>()
          expectTypeOf(steps.a.status).toEqualTypeOf<Ref<number>>()
          expectTypeOf(steps.a.list).toEqualTypeOf<Ref<boolean[]>>()
          expectTypeOf(steps.a.word).toExtend<Expression<string>>()
          expectTypeOf(steps.a.any).toEqualTypeOf<Ref<unknown>>()
          // @ts-expect-error it is not in the output
          steps.a.id
          return { participant: 'p', path: '/' }
        })
        .waitFor('c', ({ steps }) => {
          expectTypeOf(steps.b).toEqualTypeOf<Ref<unknown>>()
          return { type: 't', match: { id: steps.b('id') }, timeout: '1s' }
        })
        .lock('d', ({ steps }) => {
          expectTypeOf(steps.c.source).toEqualTypeOf<Ref<string>>()
          return { key: `${steps.c.source}` }
        })
        .wait('e', ({ steps }) => {
          expectTypeOf(steps.d.fence).toEqualTypeOf<Ref<string>>()
          return { until: cel`timestamp(input.at)` }
        }),
    )
  })

  it('know which steps may not have run', () => {
    start
      .steps((s) =>
        s
          .choice('c', (c) =>
            c
              .when(
                () => 'true',
                (b) => b.wait('one', { for: '1s' }).wait('two', { for: '1s' }),
              )
              .otherwise((b) =>
                b.wait('three', ({ steps }) => {
                  // @ts-expect-error of another branch
                  steps.one
                  return { for: '1s' }
                }),
              ),
          )
          .parallel('p', (p) =>
            p
              .branch((b) =>
                b.lock('left', { key: 'k' }).emit('l2', ({ steps }) => ({ type: 't', data: steps.left.fence })),
              )
              .branch((b) =>
                b.emit('right', ({ steps }) => {
                  // @ts-expect-error beside this one
                  steps.left
                  return { type: 't' }
                }),
              ),
          )
          .emit('last', ({ steps }) => {
            expectTypeOf<keyof typeof steps>().toEqualTypeOf<'left' | 'l2' | 'right' | 'one' | 'two' | 'three'>()
            expectTypeOf(steps.one).toEqualTypeOf<Maybe<null>>()
            expectTypeOf(steps.left.fence).toEqualTypeOf<Ref<string>>()
            return { type: 't', data: [orElse(steps.one, 1), has(steps.two), cel`has(${steps.three}) ? 1 : 2`] }
          }),
      )
      .build()
    start.steps((s) =>
      s
        .choice('c', (c) =>
          c.when(
            () => 'true',
            (b) => b.wait('w', { for: '1s' }),
          ),
        )
        // @ts-expect-error it may not be there
        .emit('e', ({ steps }) => ({ type: 't', data: steps.w })),
    )
    // @ts-expect-error neither may this
    start.steps((s) => s.emit('e', ({ input }) => ({ type: 't', data: input.mail })))
  })

  it('refuse ids that are taken, participants that there are not and members that are unknown', () => {
    // @ts-expect-error the id is taken
    start.steps((s) => s.wait('a', { for: '1s' }).wait('a', { for: '1s' }))
    // @ts-expect-error no such participant
    start.steps((s) => s.call('a', { participant: 'q', path: '/' }))
    // @ts-expect-error no such participant to undo
    start.steps((s) => s.call('a', { participant: 'p', path: '/', compensate: { participant: 'q', path: '/' } }))
    // @ts-expect-error no such member
    start.steps((s) => s.call('a', { participant: 'p', path: '/', bdy: 1 }))
    // @ts-expect-error a wait is for a time or until an instant
    start.steps((s) => s.wait('a', {}))
    // @ts-expect-error functions are no JSON
    start.steps((s) => s.emit('a', { type: 't', data: () => 1 }))
  })
})
