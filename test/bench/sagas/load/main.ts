/* The load generator, a process of its own: the same for every engine. */
import { answerParent } from '../child.ts'
import type { Question } from './messages.ts'
import { Rounds } from './rounds.ts'

let rounds: Rounds | undefined

answerParent<Question>(async (question) => {
  if (question.kind === 'round') return rounds?.run(question.round)
  rounds = await Rounds.connect(question.target, question.connections)
  return null
})
