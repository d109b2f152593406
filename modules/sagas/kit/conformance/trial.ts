import { type Answer, Caller, isDone, isLater } from './caller.ts'
import type { CallTemplate, ConformanceOptions } from './options.ts'

/** Says what does not hold; the message is the detail of the result. */
export class NotConformant extends Error {}

/** One case on its way: sagas of its own, and the effects since it began. */
export class Trial {
  readonly options: ConformanceOptions
  readonly #before: number

  private constructor(options: ConformanceOptions, before: number) {
    this.options = options
    this.#before = before
  }

  static async begin(options: ConformanceOptions): Promise<Trial> {
    return new Trial(options, await options.observe())
  }

  /** A saga that the participant has not seen. */
  caller(): Caller {
    return new Caller(this.options)
  }

  /** @throws NotConformant unless so many effects are in force that were not when the case began */
  async effects(expected: number, when: string): Promise<void> {
    const found = (await this.options.observe()) - this.#before
    const unit = this.options.unit ?? 1
    if (found !== expected * unit)
      throw new NotConformant(`${when}, observe() should differ by ${expected * unit} and differs by ${found}`)
  }

  check(holds: boolean, what: string, { status, body }: Answer): void {
    if (holds) return
    const found = status === undefined ? 'no answer' : `${status} ${body.slice(0, 200)}`
    throw new NotConformant(`expected: ${what}; found: ${found}`)
  }

  done(answer: Answer, what: string): Answer {
    this.check(isDone(answer), `${what} succeeds (2xx)`, answer)
    return answer
  }

  refused(answer: Answer, what: string): Answer {
    const final = !isDone(answer) && !isLater(answer) && (answer.status ?? 0) >= 400
    this.check(final, `${what} is refused for good (4xx, but none of 408, 409, 425, 429)`, answer)
    return answer
  }

  same(answer: Answer, first: Answer): void {
    const same = answer.status === first.status && answer.body === first.body
    this.check(same, `the same answer again (${first.status} ${first.body.slice(0, 200)})`, answer)
  }

  otherPayload(): CallTemplate {
    const { do: forward, other } = this.options
    const { body } = forward
    if (other) return other
    if (body !== null && typeof body === 'object' && !Array.isArray(body))
      return { ...forward, body: { ...body, conformance: 'another payload' } }
    return { ...forward, body: { conformance: 'another payload' } }
  }
}
