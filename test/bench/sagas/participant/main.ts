/* The participant, a process of its own: the same for every engine. */
import { answerParent } from '../child.ts'
import type { Question } from './messages.ts'
import { Participant } from './serve.ts'

const participant = new Participant()

answerParent<Question>(async (question) => {
  if (question.kind === 'listen') return participant.listen()
  if (question.kind === 'audit') return participant.audit()
  participant.how = question.how
  return null
})
