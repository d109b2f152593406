import { expect, it } from 'vitest'
import { judge, type Outcome } from './outcome.ts'

const answered = (status: number, more: object = {}) => ({ kind: 'answered', status, headers: {}, ...more }) as const

it.each([200, 201, 202, 204, 299])('%d is done', (status) => expect(judge(answered(status))).toEqual({ is: 'done' }))

it.each([301, 302, 304, 307, 400, 401, 402, 403, 404, 405, 410, 412, 422, 451])('%d is a refusal', (status) => {
  expect(judge(answered(status))).toEqual({
    is: 'refused',
    code: `HTTP_${status}`,
    detail: `the participant answered ${status}`,
  })
})

it.each([425, 429])('%d did nothing: again', (status) => {
  expect(judge(answered(status))).toMatchObject({ is: 'again', effect: 'none', code: `HTTP_${status}` })
})

it.each([408, 409, 500, 501, 502, 503, 504, 599])('%d may have done something, or will: again', (status) => {
  expect(judge(answered(status))).toMatchObject({ is: 'again', effect: 'unknown', code: `HTTP_${status}` })
})

it.each<[Outcome, object]>([
  [
    { kind: 'unknown', why: 'cut off' },
    { is: 'again', effect: 'unknown', code: 'NO_ANSWER', detail: 'cut off', afterMs: 0 },
  ],
  [
    { kind: 'refused', permanent: false, why: 'connection refused' },
    { is: 'again', effect: 'none', code: 'UNREACHABLE', detail: 'connection refused', afterMs: 0 },
  ],
  [
    { kind: 'refused', permanent: true, why: 'private address' },
    { is: 'refused', code: 'FORBIDDEN_ADDRESS', detail: 'private address' },
  ],
])('%j', (outcome, verdict) => expect(judge(outcome as Exclude<Outcome, { kind: 'postponed' }>)).toEqual(verdict))

it.each([
  ['7', 7_000],
  ['0', 0],
  ['99999', 86_400_000],
  ['100000', 0],
  ['-1', 0],
  ['1.5', 0],
  ['Wed, 21 Oct 2026 07:28:00 GMT', 0],
])('Retry-After: %s', (header, afterMs) => {
  expect(judge(answered(503, { headers: { 'retry-after': header } }))).toMatchObject({ afterMs })
})

it('says what a problem document says, cut', () => {
  expect(judge(answered(402, { body: { detail: 'no money' } }))).toMatchObject({ detail: '402: no money' })
  expect(judge(answered(402, { body: { detail: 'x'.repeat(500) } }))).toMatchObject({
    detail: `402: ${'x'.repeat(200)}`,
  })
  for (const body of ['text', null, [1], { detail: 1 }]) {
    expect(judge(answered(402, { body }))).toMatchObject({ detail: 'the participant answered 402' })
  }
})
