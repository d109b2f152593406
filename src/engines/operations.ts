import { durationBuckets, type Metrics } from '@splitstream/kernel'

const names = ['db.system.name', 'db.namespace', 'db.operation.name', 'error.type']

/** How long what is asked of an engine takes; one metric for all of them. */
export const operationSeconds = (metrics: Metrics): ReturnType<Metrics['histogram']> =>
  metrics.histogram('db.client.operation.duration', 'Statements and transactions', durationBuckets, names)
