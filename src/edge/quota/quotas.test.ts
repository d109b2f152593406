import { AppError, noMetrics, systemClock } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../keys/principal.ts'
import type { Quota } from './quota.ts'
import { type Limited, Quotas, type QuotasOptions } from './quotas.ts'

const principal = (id: string, tenant: string, quota?: Quota): Principal => ({
  ...{ id, tenant, quota, scopes: new Set<string>(), operator: false },
})
const quotas = (o: Partial<QuotasOptions>): Quotas =>
  new Quotas({ key: {}, tenant: {}, clock: systemClock, metrics: noMetrics, onFailure: 'local', ...o })

/** The answer to one request: its fields, and the error. */
function ask(of: Quotas, who: Principal, bytes = 0, now = 0, scope: 'ingest' | 'admin' | 'public' = 'ingest') {
  const asked: Limited = { rateLimit: undefined }
  try {
    of.use(scope, who, bytes, now, asked)
    return { ...asked.rateLimit, error: undefined }
  } catch (error) {
    return { ...asked.rateLimit, error: error as AppError }
  }
}

/** How many of 1,000 requests go through. */
const through = (of: Quotas, who: Principal, bytes = 0, now = 0): number =>
  Array.from({ length: 1_000 }, () => ask(of, who, bytes, now)).filter(({ error }) => !error).length

describe('quotas', () => {
  it('are none when none is set', () => {
    expect(ask(quotas({}), principal('k', 'a'))).toEqual({ error: undefined })
  })

  it('of the settings hold for each key', () => {
    const all = quotas({ key: { requestsPerSecond: 20 } })
    expect(through(all, principal('k1', 'a'))).toBe(20)
    expect(through(all, principal('k2', 'a'))).toBe(20)
  })

  it('of a key stand in place of those of the settings, and change with it', () => {
    const all = quotas({ key: { requestsPerSecond: 20 } })
    expect(through(all, principal('k', 'a', { requestsPerSecond: 50 }))).toBe(50)
    // The rows are read again every two seconds: equal ones are the same.
    expect(through(all, principal('k', 'a', { requestsPerSecond: 50 }))).toBe(0)
    expect(through(all, principal('k', 'a', { requestsPerSecond: 60 }))).toBe(60)
    expect(through(all, principal('k', 'a', {}))).toBe(1_000)
  })

  it('of a tenant hold over all of its keys, whatever theirs are', () => {
    const all = quotas({ tenant: { requestsPerSecond: 30 } })
    expect(through(all, principal('k1', 'a', { requestsPerSecond: 20 }))).toBe(20)
    expect(through(all, principal('k2', 'a', { requestsPerSecond: 500 }))).toBe(10)
    expect(through(all, principal('k3', 'b'))).toBe(30)
  })

  it('use nothing for what is refused', () => {
    const all = quotas({ key: { requestsPerSecond: 10 }, tenant: { requestsPerSecond: 15 } })
    expect(through(all, principal('k1', 'a'))).toBe(10)
    expect(through(all, principal('k2', 'a'))).toBe(5)
  })

  it('count bytes, those too that were not known before', () => {
    const all = quotas({ key: { bytesPerSecond: 1_000 } })
    const who = principal('k', 'a')
    expect(through(all, who, 100)).toBe(10)
    expect(ask(all, who, 0, 1_000).error).toBeUndefined()
    all.useMore(who, 3_000, 1_000)
    expect(ask(all, who, 1, 2_000).error?.code).toBe('RATE_LIMITED')
    expect(ask(all, who, 1, 3_001).error).toBeUndefined()
  })

  it('say in the answer what there is, and in a refusal which it was and when to come back', () => {
    const all = quotas({ key: { requestsPerSecond: 2 }, tenant: { bytesPerSecond: 1_000 } })
    const who = principal('k', 'a')
    expect(ask(all, who, 400)).toEqual({
      policy: '"key";q=2;w=1, "tenant-bytes";q=1000;qu="content-bytes";w=1',
      limit: '"key";r=1;t=1, "tenant-bytes";r=600;t=1',
      error: undefined,
    })
    ask(all, who, 600)
    const { error, limit } = ask(all, who, 5_000)
    expect(limit).toBe('"key";r=0;t=1, "tenant-bytes";r=0;t=1')
    expect(error?.code).toBe('RATE_LIMITED')
    expect(error?.retryAfterMs).toBeCloseTo(1_000, 1)
    expect(error?.details).toEqual({ 'violated-policies': ['key', 'tenant-bytes'] })
    expect(ask(all, who, 5_000, 1_000).error).toBeUndefined()
  })

  it('are not for operators and probes', () => {
    const all = quotas({ key: { requestsPerSecond: 1 } })
    const who = principal('k', 'a')
    for (let i = 0; i < 10; i++) {
      expect(ask(all, who, 0, 0, 'admin')).toEqual({ error: undefined })
      expect(ask(all, who, 0, 0, 'public')).toEqual({ error: undefined })
    }
  })

  it('remember a bounded number of keys', () => {
    const all = quotas({ key: { requestsPerSecond: 1 } })
    for (let i = 0; i < 50_000; i++) expect(ask(all, principal(`k${i}`, `t${i % 100}`)).error).toBeUndefined()
    expect(ask(all, principal('k49999', 't99')).error).toBeInstanceOf(AppError)
  })
})
