import type { Json } from './json.ts'

/** Definitions that are right, by name. Tests of everything that reads definitions share them. */
export const goodDefinitions: Readonly<Record<string, Json>> = {
  smallest: { steps: [{ id: 'a', wait: { for: '1s' } }] },
  order: {
    description: 'Charge, reserve, ship',
    participants: {
      payments: {
        url: 'https://payments.internal:8443/api/',
        headers: { authorization: 'Bearer abc', 'x-tenant': '${input.tenant}' },
        timeout: '5s',
        keyWindow: '24h',
        replaysErrors: true,
        lookup: { path: '/requests/${key}' },
        maxConcurrent: 8,
      },
      stock: { url: 'http://127.0.0.1:9000' },
      shipping: { url: 'http://[::1]:9001/v1' },
    },
    trigger: { type: 'order.placed', when: 'event.data.total > 0', input: { order: '${event.data}' } },
    idempotencyKey: 'optional',
    deadline: '10d',
    steps: [
      { id: 'lock1', lock: { key: 'order-${input.order.id}', timeout: '30s' } },
      {
        id: 'charge',
        call: {
          participant: 'payments',
          path: '/charges?order=${input.order.id}',
          headers: { 'x-saga': '${saga.id}' },
          body: { amount: '${input.order.total * 100}', meta: ['a', { b: '${saga.startedAt}' }] },
        },
        output: { id: '${response.body.id}', etag: '${response.headers.?etag.orValue("")}' },
        retry: { attempts: 5, initial: '100ms', factor: 3, max: '10s', jitter: 0.2, within: '2m' },
        timeout: '3s',
        compensate: {
          participant: 'payments',
          path: '/refunds',
          method: 'PUT',
          body: { charge: '${has(steps.charge) ? steps.charge.id : ""}', order: '${input.order.id}' },
          after: ['reserve', 'mail'],
          retry: { attempts: 1000, max: '5m', within: '30d' },
          timeout: '20s',
        },
      },
      {
        id: 'both',
        parallel: [
          [
            {
              id: 'reserve',
              call: { participant: 'stock', path: '/reservations' },
              compensate: { participant: 'stock', path: '/releases', after: ['mail'] },
            },
          ],
          [
            {
              id: 'told',
              emit: { type: 'order.charged', subject: '${steps.charge.id}', data: { fence: '${steps.lock1.fence}' } },
            },
            {
              id: 'mail',
              child: { saga: 'send-mail.v1', input: { to: '${input.order.mail}' } },
              output: '${response.body}',
            },
          ],
        ],
      },
      {
        id: 'size',
        choice: [
          {
            when: 'input.order.total > 1000',
            steps: [
              {
                id: 'approve',
                waitFor: {
                  type: 'order.approved',
                  match: { subject: '${input.order.id}', 'data.level': 2 },
                  timeout: '2d',
                },
                output: '${event.data.by}',
              },
            ],
          },
          { when: '${steps.reserve.free == false}', steps: [] },
        ],
        otherwise: [{ id: 'pause', wait: { until: '${timestamp(input.order.at) + duration("1h")}' } }],
      },
      {
        id: 'ship',
        call: {
          participant: 'shipping',
          method: 'POST',
          path: '/shipments',
          body: '${has(steps.approve) ? steps.approve : null}',
        },
        pivot: true,
        retry: { attempts: 3 },
      },
      {
        id: 'arrived',
        waitFor: {
          type: 'parcel.arrived',
          match: { 'ext.parcel': '${steps.ship.parcel}' },
          timeout: '30d',
          onTimeout: 'continue',
        },
      },
      { id: 'done', emit: { type: 'order.done', source: '/orders', data: '${steps.?pause.orValue(null)}' } },
    ],
    output: { charge: '${steps.charge.id}', by: '${steps.?approve.orValue("nobody")}', all: '${steps}' },
  },
  'a pivot in each branch': {
    participants: { p: { url: 'http://p' } },
    steps: [
      {
        id: 'c',
        choice: [
          { when: 'input.a', steps: [{ id: 'p1', call: { participant: 'p', path: '/1' }, pivot: true }] },
          { when: 'input.b', steps: [{ id: 'p2', call: { participant: 'p', path: '/2' }, pivot: true }] },
        ],
        otherwise: [{ id: 'p3', call: { participant: 'p', path: '/3' }, compensate: { participant: 'p', path: '/4' } }],
      },
      { id: 'last', call: { participant: 'p', path: '/5' } },
    ],
  },
  'eight levels': {
    steps: [1, 2, 3, 4, 5, 6, 7].reduce<Json[]>(
      (inner, i) => [{ id: `s${i}`, parallel: [inner] }],
      [{ id: 's0', wait: { for: '1ms' } }],
    ),
  },
  'two hundred steps': {
    steps: Array.from({ length: 200 }, (_, i) => ({ id: `s${i}`, wait: { until: '2030-01-01T00:00:00Z' } })),
  },
  'names of every kind': {
    participants: { A1_b: { url: 'http://a' } },
    steps: [
      { id: 'steps', call: { participant: 'A1_b', path: '/', method: 'GET' } },
      { id: 'input', emit: { type: '${steps["steps"].name}' } },
      { id: 'as', child: { saga: 'a.B-c_9' }, compensate: false },
      { id: 'ends', wait: { for: '0s' } },
    ],
    output: '${steps.as}',
  },
}
