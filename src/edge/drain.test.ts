import { Agent, get } from 'node:http'
import { platform } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { startEdge } from './edge.fixture.ts'
import type { EdgeOptions } from './edge.ts'

interface Answer {
  readonly status: number
  readonly connection: string | undefined
  readonly instance: string
}

/** Over a connection that is kept. @throws Error when the connection breaks before the answer */
function ask(agent: Agent, url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(`${url}/health`, { agent }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk))
      response.on('end', () => {
        const [instance] = Object.keys((JSON.parse(text) as { parts: object }).parts)
        resolve({ status: response.statusCode!, connection: response.headers.connection, instance: instance! })
      })
    }).on('error', reject)
  })
}

const named = (name: string): Partial<EdgeOptions> => ({ health: () => ({ [name]: { state: 'ok' } }) })
const oneConnection = (): Agent => new Agent({ keepAlive: true, maxSockets: 1 })

it('serves on while it drains, and ends connections with their next answer', async () => {
  const edge = await startEdge(named('one'))
  const idle = oneConnection()
  expect(await ask(idle, edge.url)).toMatchObject({ connection: 'keep-alive' })
  const drained = edge.drain(400)
  await delay(100)
  expect(await ask(idle, edge.url)).toMatchObject({ status: 200, connection: 'close' })
  expect(await ask(oneConnection(), edge.url)).toMatchObject({ status: 200, connection: 'close' })
  await drained
  await edge.stop()
  await expect(ask(idle, edge.url)).rejects.toThrow('ECONNREFUSED')
})

it.skipIf(['darwin', 'win32'].includes(platform()))(
  'two share a port, and one hands over without a lost request',
  async () => {
    const one = await startEdge({ ...named('one'), sharePort: true })
    const two = await startEdge({ ...named('two'), sharePort: true, port: one.port })
    const answers: Answer[] = []
    const connected = new Set<number>()
    let running = true
    const clients = Array.from({ length: 24 }, async (_, i) => {
      const agent = oneConnection()
      for (; running; await delay(i)) {
        answers.push(await ask(agent, one.url))
        connected.add(i)
      }
      agent.destroy()
    })
    // A connection that is not accepted yet is reset: that is the system's part (docs/extract-a-module.md).
    await vi.waitFor(() => expect(connected.size).toBe(clients.length), 10_000)
    expect(new Set(answers.map(({ instance }) => instance))).toEqual(new Set(['one', 'two']))
    const from = performance.now()
    await one.drain(5_000)
    // All have gone: nothing is waited for.
    expect(performance.now() - from).toBeLessThan(2_000)
    await one.stop()
    await delay(200)
    const then = answers.length
    await vi.waitFor(() => expect(answers.length).toBeGreaterThan(then + 100), 10_000)
    running = false
    await Promise.all(clients)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(new Set(answers.slice(then).map(({ instance }) => instance))).toEqual(new Set(['two']))
    await two.stop()
  },
)

it('says who has the port when it is not shared', async () => {
  const one = await startEdge()
  await expect(startEdge({ port: one.port })).rejects.toThrow('set PORT to a free one')
  await expect(startEdge({ port: one.port, sharePort: true })).rejects.toThrow('SHARE_PORT=true')
  await one.stop()
})
