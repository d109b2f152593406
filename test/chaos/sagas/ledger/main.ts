/* The external ledger, a process of its own: plays all participants, and keeps the book. */
import { answerParent } from '../../../bench/sagas/child.ts'
import { Book } from './book.ts'
import { Faults } from './faults.ts'
import type { Audit, Question } from './messages.ts'
import { Owners } from './owners.ts'
import { Participant } from './participant.ts'
import { Server } from './serve.ts'
import { Striker } from './striker.ts'

let book: Book
let striker: Striker
let server: Server

function audit(orders: string): Audit {
  return {
    arrivals: server.arrivals.filter(({ order }) => order.startsWith(orders)),
    effects: book.effects(orders),
    faults: server.stage.faults.count,
    lookups: server.lookups,
    wrong: [...server.wrong, ...striker.wrong],
    now: performance.now(),
  }
}

answerParent<Question>(async (question) => {
  switch (question.kind) {
    case 'listen':
      book = new Book(question.file)
      striker = new Striker(await Owners.connect(question.postgresUrl))
      server = new Server(book, striker, {
        participant: new Participant(book, { guard: 'keys' }),
        faults: new Faults(0, []),
      })
      return await server.listen()
    case 'behave': {
      const { seed, character, rules } = question
      server.lookups = 0
      server.stage = { participant: new Participant(book, character), faults: new Faults(seed, rules) }
      return null
    }
    case 'strike':
      striker.arm(question.strike)
      return null
    case 'struck':
      return striker.struck.splice(0)
    case 'look':
      return book.look()
    case 'audit':
      return audit(question.orders)
  }
})
