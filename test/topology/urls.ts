import type { Fleet } from '../support/fleet.ts'
import type { Installation } from './scenario.ts'

/** Addresses of a fleet, by what clients want there. */
export const urlsOf = (fleet: Fleet): Installation['urls'] => ({
  ingest: fleet.urlsFor('ingest'),
  query: fleet.urlsFor('query'),
  deadLetters: fleet.urlsFor('storage'),
  sagas: fleet.urlsFor('sagas'),
  all: fleet.processes.map(({ url }) => url),
})
