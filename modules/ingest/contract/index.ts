/** The ingest module's contract: the only thing that other modules may import from it. */
export * from './cloud-event.ts'
export * from './json-number.ts'
export * from './ports.ts'
export * from './record.ts'
export * from './row-filter.ts'
export * from './schemas.ts'
export * from './single-events.ts'
export * from './split-record.ts'
