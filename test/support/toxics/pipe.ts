import type { Socket } from 'node:net'
import type { Random } from '../../chaos/random.ts'
import { type Ailment, well } from './toxic.ts'

interface Chunk {
  bytes: Buffer
  readonly arrivedAt: number
  /** In [0, 1): which chunks are late, and how late within the jitter. */
  readonly draw: { readonly latency: number; readonly jitter: number }
}

/** Bytes that one direction holds back before it stops reading. */
const maxHeld = 1 << 20

/**
 * One direction of one connection: what `from` says, `to` hears, as ill as it is set. Chunks leave in the order in which they
 * came; when each may leave is worked out as late as that, so that a change holds for those on the way as well.
 */
export class Pipe {
  readonly #from: Socket
  readonly #to: Socket
  readonly #random: Random
  readonly #cut: (how: 'close' | 'reset') => void
  readonly #queue: Chunk[] = []
  #held = 0
  #ailment: Ailment = well
  #ailingSince = 0
  /** Since the last change. */
  #passed = 0
  #ended = false
  /** Cut by its limit. */
  #over = false
  #wake: (() => void) | undefined
  #deadline: NodeJS.Timeout | undefined
  /** Bytes that have left. */
  bytes = 0

  /** @param cut ends the whole connection */
  constructor(from: Socket, to: Socket, random: Random, cut: (how: 'close' | 'reset') => void) {
    this.#from = from
    this.#to = to
    this.#random = random
    this.#cut = cut
    from.on('data', (bytes: Buffer) => this.#arrive(bytes))
    from.on('end', () => {
      this.#ended = true
      this.#wake?.()
    })
    from.on('close', () => clearTimeout(this.#deadline))
    void this.#pump()
  }

  set(ailment: Ailment): void {
    this.#ailment = ailment
    this.#ailingSince = performance.now()
    this.#passed = 0
    clearTimeout(this.#deadline)
    const { resetMs, stalledMs } = ailment
    if (resetMs !== undefined) this.#deadline = setTimeout(() => this.#cut('reset'), resetMs)
    else if (stalledMs) this.#deadline = setTimeout(() => this.#cut('close'), stalledMs)
    this.#wake?.()
  }

  #arrive(bytes: Buffer): void {
    const draw = { latency: this.#random.fraction(), jitter: this.#random.fraction() }
    this.#queue.push({ bytes, arrivedAt: performance.now(), draw })
    this.#held += bytes.length
    if (this.#held > maxHeld) this.#from.pause()
    this.#wake?.()
  }

  async #pump(): Promise<void> {
    while (!this.#over && !this.#to.destroyed) {
      const [chunk] = this.#queue
      if (this.#ailment.stalledMs !== undefined) await this.#changed()
      else if (!chunk && this.#ended) return void this.#to.end()
      else if (!chunk) await this.#changed()
      else if (this.#waitOf(chunk) > 0) await this.#changed(this.#waitOf(chunk))
      else await this.#send(chunk)
    }
  }

  #waitOf({ arrivedAt, draw }: Chunk): number {
    const { latencies, jitterMs } = this.#ailment
    const late = latencies.reduce((sum, { ms, share }) => (draw.latency < share ? sum + ms : sum), 0)
    return arrivedAt + late + draw.jitter * jitterMs - performance.now()
  }

  /** As much of the chunk as leaves at once, and the pause that belongs to it. */
  async #send(chunk: Chunk): Promise<void> {
    const { slice, bytesPerSecond, limitBytes } = this.#ailment
    const varied = slice ? slice.bytes + Math.round((this.#random.fraction() * 2 - 1) * slice.variation) : Infinity
    // Twenty steps a second are smooth enough.
    const most = Math.min(varied, Math.ceil(bytesPerSecond / 20), limitBytes - this.#passed)
    const part = chunk.bytes.subarray(0, Math.max(1, most))
    if (this.#passed >= limitBytes) return this.#reached()
    if (part.length === chunk.bytes.length) this.#queue.shift()
    else chunk.bytes = chunk.bytes.subarray(part.length)
    this.#held -= part.length
    this.#passed += part.length
    this.bytes += part.length
    const taken = new Promise<void>((resolve) => this.#to.write(part, () => resolve()))
    await taken
    if (this.#held <= maxHeld / 2) this.#from.resume()
    if (this.#passed >= limitBytes) return this.#reached()
    const pause = Math.max(slice?.delayMs ?? 0, (part.length / bytesPerSecond) * 1_000)
    if (pause > 0) await this.#pause(pause)
  }

  #reached(): void {
    this.#over = true
    this.#cut('close')
  }

  /** However often it is woken, until the ailment changes. */
  async #pause(ms: number): Promise<void> {
    const [since, end] = [this.#ailingSince, performance.now() + ms]
    while (this.#ailingSince === since && performance.now() < end) await this.#changed(end - performance.now())
  }

  /** Until something is new, for `ms` at most. */
  #changed(ms?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = ms === undefined ? undefined : setTimeout(resolve, Math.max(1, ms))
    this.#wake = resolve
    const gone = (): void => resolve()
    this.#to.once('close', gone)
    return promise.finally(() => {
      clearTimeout(timer)
      this.#to.off('close', gone)
      this.#wake = undefined
    })
  }
}
