import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import packet, { type Answer } from 'dns-packet'
import type { NameSource } from './names.ts'

/** What a name server does: answer from its records, say that it cannot, or nothing. */
type Mood = 'answers' | 'fails' | 'silent'

/** A name server on loopback. A name without records does not exist; one without those asked for has no such record. */
export interface NameServer {
  records: readonly Answer[]
  mood: Mood
  /** Where it is asked, over UDP: address:port. */
  readonly address: string
  /** Type and name of each question so far. */
  readonly questions: string[]
  /** A client of it. `lookup` stands for the system; default: it knows nothing. */
  source(lookup?: NameSource['lookup']): NameSource
  stop(): void
}

export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  const server: NameServer = {
    records: [],
    mood: 'answers',
    address: `127.0.0.1:${port}`,
    questions: [],
    source(lookup = unknownToTheSystem) {
      const servers = new Resolver({ timeout: 200, tries: 1 })
      servers.setServers([`127.0.0.1:${port}`])
      return { servers, lookup }
    },
    stop: () => void socket.close(),
  }
  socket.on('message', (message, from) => {
    const query = packet.decode(message)
    const question = query.questions![0]!
    server.questions.push(`${question.type} ${question.name}`)
    if (server.mood === 'silent') return
    const named = server.records.filter((record) => record.name === question.name)
    const code = server.mood === 'fails' ? serverFailure : named.length === 0 ? noSuchName : 0
    const answers = code === 0 ? named.filter((record) => record.type === question.type) : []
    const flags = packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | code
    const reply = packet.encode({ type: 'response', id: query.id!, flags, questions: query.questions!, answers })
    socket.send(reply, from.port, from.address)
  })
  return server
}

const [serverFailure, noSuchName] = [2, 3]

export const unknownToTheSystem: NameSource['lookup'] = () =>
  Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }))

export const a = (name: string, data: string, ttl = 60): Answer => ({ type: 'A', name, data, ttl })

export const aaaa = (name: string, data: string, ttl = 60): Answer => ({ type: 'AAAA', name, data, ttl })

export const srv = (name: string, target: string, port: number, weight = 0, priority = 0): Answer => ({
  type: 'SRV',
  name,
  ttl: 60,
  data: { target, port, weight, priority },
})
