import { whyUnanswered } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'
import { skewOf } from './clock.ts'
import { urlOf } from './ports.ts'
import { ms } from './units.ts'

export interface ServerOptions {
  /** As given; otherwise where the settings say that it listens. */
  readonly url: string | undefined
  /** The operator's, for /v1/topology. */
  readonly key: string | undefined
}

interface State {
  readonly state: string
  readonly reason?: string
}
interface HealthAnswer {
  readonly status?: string
  readonly parts?: Readonly<Record<string, State>>
  readonly dependencies?: Readonly<Record<string, State>>
}

/** A running server, if there is one. */
export function serverChecks(config: Config, o: ServerOptions): Check[] {
  if (o.url === undefined && config.PORT === 0) return []
  const url = (o.url ?? urlOf(config.HOST, config.PORT)).replace(/\/+$/, '')
  const checks: Check[] = [{ name: 'server', run: (signal) => checkHealth(url, o.url !== undefined, signal) }]
  if (o.key !== undefined) checks.push({ name: 'server topology', run: (signal) => checkTopology(url, o, signal) })
  return checks
}

async function checkHealth(url: string, wanted: boolean, signal: AbortSignal): Promise<Finding> {
  const from = performance.now()
  const answer = await fetch(`${url}/health`, { signal }).catch((error: unknown) => whyUnanswered(error))
  if (typeof answer === 'string') {
    return wanted
      ? fail(`nobody answers at ${url} (${answer})`, 'is it running, and is --url right?')
      : ok(`none runs at ${url}`)
  }
  const took = performance.now() - from
  const body = (await answer.json().catch(() => ({}))) as HealthAnswer
  if (body.parts === undefined)
    return fail(`${url} answers ${answer.status}`, 'something else than Splitstream listens there')
  const unwell = Object.entries({ ...body.parts, ...body.dependencies })
    .filter(([, { state }]) => state !== 'ok')
    .map(([part, { state, reason }]) => `${part} is ${state}: ${reason ?? 'no reason given'}`)
  const found = `${url} is ${body.status}, round trip ${ms(took)}`
  const advice = `${unwell.join('; ')}. See docs/operations.md`
  if (body.status === 'down') return fail(found, advice)
  if (unwell.length > 0) return warn(found, advice)
  // To the second.
  const skew = skewOf(Date.parse(answer.headers.get('date') ?? '') + 500, took)
  return skew === undefined ? ok(found) : warn(found, skew)
}

async function checkTopology(url: string, { key }: ServerOptions, signal: AbortSignal): Promise<Finding> {
  const headers = { authorization: `Bearer ${key}` }
  const answer = await fetch(`${url}/v1/topology`, { signal, headers }).catch((error: unknown) => whyUnanswered(error))
  if (typeof answer === 'string') return ok('not asked: no server answers')
  const body = (await answer.json().catch(() => ({}))) as { modules?: readonly string[]; code?: string }
  if (answer.status === 200) return ok(`modules there: ${body.modules?.join(', ')}`)
  return warn(`${answer.status} ${body.code ?? ''}`, "the operator's key is needed: --key or SPLITSTREAM_KEY")
}
