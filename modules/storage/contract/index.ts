/** The storage module's contract: the only thing that other modules may import from it. */
export * from './field.ts'
export * from './instant.ts'
export * from './ports.ts'
