/** Runs saga definitions on a virtual clock, for the tests of those who write them (docs/saga-testing.md). */
export type { TestEvent } from './events.ts'
export { hang, postponed, type Reply, reset, unreachable } from './reply.ts'
export type { Participant, TestRequest } from './request.ts'
export { type SimulationOptions, simulate } from './simulate.ts'
export { Simulation } from './simulation.ts'
