import { createConnection } from 'node:net'

/** How long brokers may take to say that they are there, ms. */
const answerMs = 1_000

/** ApiVersions, version 0, of a client without a name: what every broker answers, before anything else. */
const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])

/** The broker that answers first, of those named; undefined when none does in time. */
export async function answeringBroker(brokers: readonly string[]): Promise<string | undefined> {
  const found = new AbortController()
  try {
    return await Promise.any(brokers.map((broker) => answerOf(broker, found.signal)))
  } catch {
    return undefined
  } finally {
    found.abort()
  }
}

/**
 * The same for kafkajs; all of them when none answers. It begins with the first of its list, and stays with it when it takes the
 * connection and never answers, as a frozen one does: only a refused connection makes it go on to the next.
 */
export async function whoAnswers(brokers: readonly string[]): Promise<string[]> {
  const broker = await answeringBroker(brokers)
  return broker === undefined ? [...brokers] : [broker]
}

/** @returns the broker, once a byte of its answer is there */
function answerOf(broker: string, signal: AbortSignal): Promise<string> {
  const at = broker.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: broker.slice(0, at), port: Number(broker.slice(at + 1)), signal })
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), answerMs)
    socket.once('connect', () => socket.write(request))
    socket.once('data', () => {
      resolve(broker)
      socket.destroy()
    })
    socket.once('error', reject)
    socket.once('close', () => {
      clearTimeout(timer)
      reject(new Error('closed without an answer'))
    })
  })
}
