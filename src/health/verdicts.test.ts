import { AppError, ClickHouseError, type ErrorCode } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { insertVerdict, isPassing, readVerdict, verdictOf } from './verdicts.ts'

const engine = (number: number, retryable = false) => new ClickHouseError(number, 'X', 'said', retryable)

it.each([
  ['UNAVAILABLE', 'bad'],
  ['UNKNOWN_OUTCOME', 'bad'],
  ['DISK_FULL', 'bad'],
  ['CONFLICT', 'good'],
  ['REQUEST_INVALID', 'good'],
  ['QUERY_TOO_COSTLY', 'good'],
  ['CANCELLED', 'none'],
  ['STOPPING', 'none'],
  ['OVERLOADED', 'none'],
] satisfies [ErrorCode, string][])('%s is %s', (code, verdict) => {
  expect(verdictOf(new AppError(code, 'x'), 10, 1_000)).toBe(verdict)
})

it('blames nobody for a query that is wrong or asks for too much', () => {
  expect(readVerdict(engine(62), 1, 1_000)).toBe('good') // SYNTAX_ERROR
  expect(readVerdict(engine(241, true), 1, 1_000)).toBe('none') // MEMORY_LIMIT_EXCEEDED
  expect(readVerdict(engine(159, true), 1, 1_000)).toBe('none') // TIMEOUT_EXCEEDED
  expect(readVerdict(engine(60), 1, 1_000)).toBe('bad') // UNKNOWN_TABLE
})

it('blames the engine for inserts that it refuses, and a row for itself', () => {
  expect(insertVerdict(engine(242, true), 1, 1_000)).toBe('bad') // TABLE_IS_READ_ONLY
  expect(insertVerdict(engine(241, true), 1, 1_000)).toBe('bad')
  expect(insertVerdict(engine(27), 1, 1_000)).toBe('good') // CANNOT_PARSE_INPUT_ASSERTION_FAILED
})

it('knows what may pass from what stays', () => {
  expect([241, 252, 202].map((number) => isPassing(engine(number, true)))).toEqual([true, true, true])
  expect(isPassing(new AppError('UNAVAILABLE', 'x'))).toBe(true)
  expect(isPassing(new AppError('DEADLINE_EXCEEDED', 'x'))).toBe(false)
  expect([60, 164, 242, 497].map((number) => isPassing(engine(number, true)))).toEqual([false, false, false, false])
})
