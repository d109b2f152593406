import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { createMetrics, type MeasuredMetrics } from './metrics.ts'

const opened: MeasuredMetrics[] = []
afterEach(() => {
  for (const metrics of opened.splice(0)) metrics.stop()
})

function start(): MeasuredMetrics {
  const metrics = createMetrics()
  opened.push(metrics)
  return metrics
}

/** The lines of one metric. */
async function linesOf(metrics: MeasuredMetrics, start: string): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(start))
}

describe('the Prometheus form of a metric', () => {
  it.each([
    ['http.server.request.duration', 's', 'http_server_request_duration_seconds'],
    ['splitstream.http.in_flight', 'By', 'splitstream_http_in_flight_bytes'],
    ['splitstream.share', '1', 'splitstream_share_ratio'],
    ['splitstream.lag', '{event}', 'splitstream_lag'],
    ['splitstream.age.seconds', 's', 'splitstream_age_seconds'],
  ])('%s in %s is %s', async (name, unit, expected) => {
    const metrics = start()
    metrics.gauge(name, 'help', () => 1, unit)
    expect(await linesOf(metrics, expected)).toEqual([`${expected} 1`])
  })

  it('of a counter ends in total, and is 0 from the start when it has no labels', async () => {
    const metrics = start()
    metrics.counter('splitstream.things', 'help').add(0)
    metrics.counter('splitstream.labelled', 'help', ['a.b']).add(2, { 'a.b': 'quo"te\n' })
    expect(await linesOf(metrics, 'splitstream_things')).toEqual(['splitstream_things_total 0'])
    expect(await linesOf(metrics, 'splitstream_labelled')).toEqual(['splitstream_labelled_total{a_b="quo\\"te\\n"} 2'])
  })

  it('of a histogram is cumulated', async () => {
    const metrics = start()
    const histogram = metrics.histogram('splitstream.wait', 'help', [2, 1], ['kind'])
    for (const seconds of [0.5, 1, 1.5, 3]) histogram.observe(seconds, { kind: 'x' })
    expect(await linesOf(metrics, 'splitstream_wait')).toEqual([
      'splitstream_wait_seconds_bucket{kind="x",le="1"} 2',
      'splitstream_wait_seconds_bucket{kind="x",le="2"} 3',
      'splitstream_wait_seconds_bucket{kind="x",le="+Inf"} 4',
      'splitstream_wait_seconds_sum{kind="x"} 6',
      'splitstream_wait_seconds_count{kind="x"} 4',
    ])
  })

  it('has a value for each set of labels of a gauge', async () => {
    const metrics = start()
    const read = () => [[{ state: 'open' }, 1] as const, [{ state: 'closed' }, 2] as const]
    metrics.gauge('splitstream.breakers', 'help', read)
    expect(await linesOf(metrics, 'splitstream_breakers')).toEqual([
      'splitstream_breakers{state="open"} 1',
      'splitstream_breakers{state="closed"} 2',
    ])
  })
})

describe('metrics', () => {
  it('are told apart by label values, not by objects; beyond 2,000 they are counted together', async () => {
    const metrics = start()
    const counter = metrics.counter('splitstream.many', 'help', ['n'])
    for (let n = 0; n < 2_010; n++) counter.add(1, { n })
    counter.add(1, { n: 0 })
    const lines = await linesOf(metrics, 'splitstream_many')
    expect(lines.length).toBe(2_001)
    expect(lines).toContain('splitstream_many_total{n="0"} 2')
    expect(lines).toContain('splitstream_many_total{n="other"} 10')
  })

  it('with one name are one, and of one kind', () => {
    const metrics = start()
    expect(metrics.counter('splitstream.a', 'help')).toBe(metrics.counter('splitstream.a', 'help'))
    expect(() => metrics.histogram('splitstream.a', 'help', [1])).toThrow('splitstream.a')
  })

  it('of the process are there', async () => {
    const text = await start().text()
    for (const name of [
      'process_cpu_time_seconds_total{cpu_mode="user"}',
      'process_memory_usage_bytes',
      'nodejs_eventloop_delay_p99_seconds',
      'nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="active"}',
      'v8js_memory_heap_used_bytes{v8js_heap_space_name="old_space"}',
    ]) {
      expect(text).toMatch(new RegExp(`^${name.replaceAll(/[{}]/g, '\\$&')} [\\d.e+-]+$`, 'm'))
    }
  })
})

describe('a gauge that has to ask', () => {
  it('asks once for many looks', async () => {
    const metrics = start()
    let asked = 0
    metrics.gauge('splitstream.rows', 'help', async () => ++asked)
    await Promise.all([metrics.text(), metrics.text()])
    expect(await linesOf(metrics, 'splitstream_rows')).toEqual(['splitstream_rows 1'])
  })

  it('is absent when the answer fails, and nothing else is', async () => {
    const metrics = start()
    metrics.gauge('splitstream.bad', 'help', () => Promise.reject(new Error('away')))
    metrics.gauge('splitstream.worse', 'help', () => {
      throw new Error('away')
    })
    metrics.gauge('splitstream.good', 'help', () => 1)
    expect(await linesOf(metrics, 'splitstream_')).toEqual([
      expect.stringMatching(/^splitstream_memory_external_bytes /),
      'splitstream_good 1',
    ])
  })

  it('does not hold up a scrape for long, and is not asked again meanwhile', async () => {
    const metrics = start()
    const answer = Promise.withResolvers<number>()
    let asked = 0
    metrics.gauge('splitstream.slow', 'help', () => {
      asked++
      return answer.promise
    })
    const from = performance.now()
    expect(await linesOf(metrics, 'splitstream_slow')).toEqual([])
    expect(performance.now() - from).toBeLessThan(3_000)
    answer.resolve(7)
    await delay(10)
    expect(await linesOf(metrics, 'splitstream_slow')).toEqual(['splitstream_slow 7'])
    expect(asked).toBe(1)
  })
})
