import { durationBuckets, type Metrics } from '@splitstream/kernel'
import type { ServedMethod } from './port-table.ts'

/** Told how long a call of another process took here, ms, and the code it ended with; '' when it did not fail. */
export type ServedCalls = (method: ServedMethod, code: string, ms: number) => void

export function servedCalls(metrics: Metrics): ServedCalls {
  const names = ['rpc.system.name', 'rpc.method', 'error.type']
  const seconds = metrics.histogram('rpc.server.call.duration', 'Calls of other processes', durationBuckets, names)
  return ({ port, name }, code, ms) =>
    seconds.observe(ms / 1_000, {
      'rpc.system.name': 'splitstream',
      'rpc.method': `${port}/${name}`,
      'error.type': code,
    })
}
