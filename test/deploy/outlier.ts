import { setTimeout as delay } from 'node:timers/promises'

const [perSecond, lateMs, share, withinMs] = [100, 300, 0.05, 15_000]

/** What a namesake of a module is told of its answers. */
export class Slowness {
  asked = 0
  late = false

  /** How late the next answer is, ms. */
  next(): number {
    this.asked++
    return this.late && Math.random() < share ? lateMs : 0
  }
}

/**
 * Of three servers one gives some of its answers late, while its checks are green: the gateway sends it nothing more, within some
 * seconds, and no request fails.
 */
export async function checkOutlier(url: string, all: readonly Slowness[]): Promise<void> {
  const ill = all.at(-1)!
  const failed: number[] = []
  let more = true
  const load = (async () => {
    const sent: Promise<void>[] = []
    for (
      const from = performance.now();
      more;
      await delay(Math.max(0, from + (sent.length * 1_000) / perSecond - performance.now()))
    ) {
      sent.push(ask(`${url}/v1/events`).then((status) => void (status !== 200 && failed.push(status))))
    }
    await Promise.all(sent)
  })()
  try {
    await delay(3_000)
    if (all.some(({ asked }) => asked === 0)) throw new Error('the gateway does not use all servers')
    ill.late = true
    const from = performance.now()
    let [asked, since] = [ill.asked, from]
    for (; performance.now() - since < 1_500; await delay(50)) {
      if (ill.asked !== asked) [asked, since] = [ill.asked, performance.now()]
      if (performance.now() - from > withinMs)
        throw new Error('the gateway goes on with a server that gives late answers')
    }
  } finally {
    more = false
    await load
  }
  if (failed.length > 0)
    throw new Error(`requests failed beside a server that gives late answers: ${failed.join(', ')}`)
}

/** The status; 0 without an answer. */
const ask = (url: string): Promise<number> =>
  fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer()
      return answer.status
    },
    () => 0,
  )
