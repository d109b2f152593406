import { expect, it } from 'vitest'
import { ok, runChecks, warn } from './check.ts'
import { renderReport } from './report.ts'

it('gives each check its row, also one that throws or hangs', async () => {
  const from = performance.now()
  const rows = await runChecks(
    [
      { name: 'fine', run: async () => ok('3 of them') },
      {
        name: 'thrown',
        run: async () => {
          throw new Error('it broke')
        },
      },
      { name: 'hung', run: () => new Promise(() => {}) },
    ],
    200,
  )
  expect(rows.map(({ check, verdict, measured }) => [check, verdict, measured])).toEqual([
    ['fine', 'ok', '3 of them'],
    ['thrown', 'fail', 'it broke'],
    ['hung', 'fail', 'no result within 0.2 s'],
  ])
  expect(performance.now() - from).toBeLessThan(3_000)
})

it('tells a check that it is late', async () => {
  const late = Promise.withResolvers<void>()
  const run = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => late.resolve())
    return new Promise<never>(() => {})
  }
  await runChecks([{ name: 'hung', run }], 50)
  await late.promise
})

it('is a table for people, in which nothing steers the terminal', () => {
  const text = renderReport([
    { check: 'disk', ...ok('20 GiB') },
    { check: 'file system', ...warn('of \u001b[31mred', 'set DATA_DIR') },
  ])
  expect(text).toBe(
    [
      'ok    disk         20 GiB',
      'warn  file system  of \ufffd[31mred',
      `${' '.repeat(19)}→ set DATA_DIR`,
      '',
      '1 ok, 1 warn, 0 fail',
    ].join('\n'),
  )
})
