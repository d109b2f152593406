/** What a participant needs: the barrier, and a request handler around it (docs/participants.md). */
export { barrierTable, type Effect, forgetSteps, passBarrier, type Reply, type Sql, type StepCall } from './barrier.ts'
export {
  type Handler,
  type ParticipantCall,
  type ParticipantOptions,
  participant,
  type RequestHandler,
} from './participant.ts'
