import type { BrokerAccess } from './access.ts'
import { speaksTls } from './access-trouble.ts'

/** How long brokers may take to say that they are there, ms; TLS goes back and forth before, and computes. */
const [answerMs, secureAnswerMs] = [1_000, 2_000]

/** ApiVersions, version 0, of a client without a name: what every broker answers, before anything else. */
const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])

/** The broker that answers first, of those named; undefined when none does in time. */
export async function answeringBroker(brokers: readonly string[], access: BrokerAccess): Promise<string | undefined> {
  const found = new AbortController()
  try {
    return await Promise.any(brokers.map((broker) => answerOf(broker, access, found.signal)))
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
export async function whoAnswers(brokers: readonly string[], access: BrokerAccess): Promise<string[]> {
  const broker = await answeringBroker(brokers, access)
  return broker === undefined ? [...brokers] : [broker]
}

/** @returns the broker, once a byte of its answer is there */
function answerOf(broker: string, access: BrokerAccess, signal: AbortSignal): Promise<string> {
  const at = broker.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const [host, port] = [broker.slice(0, at), Number(broker.slice(at + 1))]
    const socket = access.connect(host, port, () => socket.write(request))
    const limitMs = access.isSecure ? secureAnswerMs : answerMs
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), limitMs)
    const abandon = (): void => void socket.destroy()
    signal.addEventListener('abort', abandon, { once: true })
    socket.once('data', (bytes: Buffer) => {
      if (access.isSecure || !speaksTls(bytes)) resolve(broker)
      socket.destroy()
    })
    socket.once('error', reject)
    socket.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abandon)
      reject(new Error('closed without an answer'))
    })
  })
}
