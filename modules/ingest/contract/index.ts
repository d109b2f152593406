/** The ingest module's contract: the only thing that other modules may import from it. */
export * from './ports.ts'
export * from './record.ts'
