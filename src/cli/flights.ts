import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { OpenOptions } from './load/open.ts'

/** Where the three million flights are: in the dev dependency vega-datasets. @throws Error when it is not installed. */
export function flightsFile(): string {
  try {
    // the package's main file is build/index.js; its data is not among its exports
    const main = createRequire(import.meta.url).resolve('vega-datasets')
    return join(dirname(dirname(main)), 'data', 'flights-3m.parquet')
  } catch (error) {
    throw new Error('the demo needs the package vega-datasets: run npm ci without --omit=dev', { cause: error })
  }
}

/** How a flight becomes an event. Its date has no zone; it is taken as UTC. */
export const flightsMapping: Omit<OpenOptions, 'path'> = {
  type: { value: 'flight' },
  source: { value: '/flights/us' },
  subject: { column: 'origin' },
  timeFrom: 'date',
  data: ['delay', 'distance', 'origin', 'destination'],
}
