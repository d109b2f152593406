/** The conformance test of participants (docs/participants.md). */
export { type ConformanceOptions, parseConformance } from './options.ts'
export { conformanceReport } from './report.ts'
export { type ConformanceResult, runConformance } from './run.ts'
