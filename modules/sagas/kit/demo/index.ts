/** The demo saga `order`, and the participants that it calls. */
export type { LedgerEntry } from './ledger.ts'
export type { Misbehaviour, StubCall } from './misbehave.ts'
export { orderSaga } from './order-saga.ts'
export { type StubOptions, type StubParticipants, startStubParticipants } from './stub-participants.ts'
