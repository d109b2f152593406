import { AppError, durationBuckets, errorType, type Metrics } from '@splitstream/kernel'
import { type ConsulAccess, ConsulAgent, type ConsulAnswer, type ConsulObserver } from '../discovery/consul/agent.ts'
import type { ProcessHealth } from './process-health.ts'
import { verdictOf } from './verdicts.ts'

/** A p99 above it is bad; between two questions whether it answers; for one answer, ms. */
const [slowMs, askEveryMs, timeoutMs] = [1_000, 5_000, 1_500]

/**
 * The same access to Consul, observed as a dependency. What is asked there waits for changes most of the time, which says nothing
 * of how Consul is: so it is asked for its leader every 5 s as well.
 */
export function watchConsul(access: ConsulAccess, o: { health: ProcessHealth; metrics: Metrics }): ConsulAccess {
  const { health } = o
  const names = ['splitstream.dependency', 'http.request.method', 'http.response.status_code', 'error.type']
  const help = 'Requests to Consul but those that wait for a change'
  const seconds = o.metrics.histogram('http.client.request.duration', help, durationBuckets, names)
  const timed: ConsulObserver = async (method, work) => {
    const from = health.now()
    let [status, failed]: [number | '', string] = ['', '']
    try {
      const answer = await work()
      status = answer.status
      return answer
    } catch (error) {
      failed = errorType(error)
      throw error
    } finally {
      const labels = { 'splitstream.dependency': 'consul', 'http.request.method': method }
      const outcome = { 'http.response.status_code': status, 'error.type': failed }
      seconds.observe((health.now() - from) / 1_000, { ...labels, ...outcome })
    }
  }
  const judge = (error: unknown, ms: number) => verdictOf(error, ms, slowMs)
  const observe: ConsulObserver = async (method, work) => {
    let answer: ConsulAnswer | undefined
    const counted = async (): Promise<ConsulAnswer> => {
      answer = await timed(method, work)
      if (answer.status >= 500) throw new AppError('UNAVAILABLE', `it answers ${answer.status}`)
      return answer
    }
    return await dependency.run(counted, judge).catch((error: unknown) => answer ?? Promise.reject(error))
  }
  const watched = { ...access, observe }
  const agent = new ConsulAgent(watched)
  const leader = async (signal: AbortSignal): Promise<void> => {
    const { status, text } = await agent.send({ path: '/v1/status/leader', timeoutMs, signal })
    if (status >= 500) throw new AppError('UNAVAILABLE', `it answers ${status}`)
    if (text.trim() === '""') throw new AppError('UNAVAILABLE', 'it has no leader')
  }
  const dependency = health.dependency('consul', { slowMs, probe: health.probe('Consul', leader, askEveryMs) })
  return watched
}
