import type { Effect, Reply, StepCall } from './barrier.ts'

/** What reached a participant for one step of one saga, and what came of it. */
export interface Message {
  readonly call: StepCall
  /** What happens to it when it is let through, in each case after the effect was made. `lost`: the answer is. */
  readonly fate: 'works' | 'crash' | 'refuse' | 'later' | 'lost'
}

interface Heard {
  readonly message: Message
  /** Undefined: it threw, and the engine heard nothing. */
  readonly reply: Reply | undefined
}

/** What was known when a message was sent. */
interface Before {
  readonly fence: bigint
  readonly undone: boolean
}

/**
 * What an engine may send, and the network make of it: copies of the forward call and of its undo in any order, by a first
 * owner and by later ones, a new key after a refusal, seldom another payload.
 */
export function randomMessages(saga: string, random: () => number): Message[] {
  const pick = <T>(...from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const fence = () => BigInt(pick(1, 1, 1, 2, 3))
  return Array.from({ length: 2 + Math.floor(random() * 5) }, (): Message => {
    const operation = pick('do', 'do', 'undo')
    const key = `${operation}-${operation === 'do' ? pick(1, 1, 1, 2) : 1}`
    const body = random() < 0.05 ? 'another' : 'payload'
    const call = { saga, step: 'step', operation, key, fence: fence(), target: 'POST /', body } as const
    return { call, fate: pick('works', 'works', 'works', 'works', 'works', 'crash', 'refuse', 'later', 'lost') }
  })
}

/** The effects of a message: naive, as a user writes them. `add` puts `n` in the database, within the transaction. */
export function effectOf<Tx>(message: Message, add: (tx: Tx, n: 1 | -1, key: string) => Promise<void>): Effect<Tx> {
  return async (tx, { operation, key }) => {
    await add(tx, operation === 'do' ? 1 : -1, key)
    if (message.fate === 'crash') throw new Error('crash')
    if (message.fate === 'refuse') return { status: 402 }
    return message.fate === 'later' ? { status: 503 } : { status: 200, body: { by: key } }
  }
}

/** Watches one step from outside and says what is against the rules; silent otherwise. */
export class Story {
  readonly violations: string[] = []
  readonly #heard: Heard[] = []
  #undone = false
  /** The newest token of a call that was answered. */
  #fence = 0n

  /** A message is about to be sent. Gives what `heard` is to be told. */
  sent(): Before {
    return { fence: this.#fence, undone: this.#undone }
  }

  /** @param observe sum of the effects that are committed by now */
  async heard(
    message: Message,
    before: Before,
    reply: Reply | undefined,
    observe: () => number | Promise<number>,
  ): Promise<void> {
    const undone = this.#undone
    const inForce = await observe()
    const { operation, key, fence, body } = message.call
    const rule = (holds: boolean, what: string) => {
      if (!holds)
        this.violations.push(`${what}: ${operation} ${key} token ${fence} got ${reply?.status}, ${inForce} in force`)
    }
    rule(inForce === 0 || inForce === 1, 'effects are made once, and undone once')
    rule(!undone || inForce === 0, 'nothing takes effect after an undo was answered')
    if (reply) {
      const ok = isOk(reply)
      rule(fence >= before.fence || reply.status === 412 || reply.status === 409, 'a stale owner is refused')
      rule(!(ok && operation === 'do' && before.undone), 'a late forward call does not succeed')
      rule(!(ok && operation === 'undo') || inForce === 0, 'what was undone is not in force')
      const first = this.#heard.find((one) => one.message.call.operation === operation && one.reply && isOk(one.reply))
      if (ok && first) {
        rule(JSON.stringify(first.reply?.body) === JSON.stringify(reply.body), 'copies get the same answer')
        rule(first.message.call.body === body, 'another payload does not succeed')
      }
      if (ok && operation === 'undo') this.#undone = true
      if (reply.status !== 409 && fence > this.#fence) this.#fence = fence
    }
    this.#heard.push({ message, reply })
  }

  /** After all messages. `keys`: under which effects were committed. */
  end(inForce: number, keys: readonly string[]): void {
    const forward = this.#heard.filter(({ message }) => message.call.operation === 'do')
    const mayBeUndone = this.#heard.some(({ message, reply }) => message.call.operation === 'undo' && !reply)
    if (forward.some(({ reply }) => reply && isOk(reply)) && !this.#undone && !mayBeUndone && inForce !== 1)
      this.violations.push(`a forward call succeeded, nothing was undone, and ${inForce} are in force`)
    for (const { message, reply } of forward)
      if (reply?.status === 402 && keys.includes(message.call.key))
        this.violations.push(`${message.call.key} was refused for good, and took effect`)
  }
}

const isOk = ({ status }: Reply): boolean => status >= 200 && status < 300
