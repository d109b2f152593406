import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startToxicProxy, type ToxicProxy } from './proxy.ts'

/** Says back what it hears. */
let echo: Server
let proxy: ToxicProxy
const open = new Set<Socket>()

beforeEach(async () => {
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket)
    socket.on('error', () => {}).pipe(socket)
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await startToxicProxy({ target: `tcp://127.0.0.1:${(echo.address() as AddressInfo).port}`, seed: 7 })
})

afterEach(async () => {
  await proxy.stop()
  for (const socket of open) socket.destroy()
  open.clear()
  echo.close()
})

/** A client that keeps what it hears, with the time of each chunk. */
async function client() {
  const socket = connect(proxy.port, '127.0.0.1').setNoDelay()
  open.add(socket)
  const chunks: { bytes: Buffer; at: number }[] = []
  const ended: { how?: string } = {}
  socket.on('data', (bytes) => chunks.push({ bytes, at: performance.now() }))
  socket.on('error', (error) => {
    ended.how = (error as NodeJS.ErrnoException).code ?? 'error'
  })
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(ended.how ?? 'closed')))
  await Promise.race([closed, new Promise((resolve) => socket.once('connect', resolve))])
  const heard = () => Buffer.concat(chunks.map(({ bytes }) => bytes))
  const until = async (n: number) => {
    while (heard().length < n) await once(socket, 'data')
    return heard()
  }
  return { socket, chunks, closed, heard, until, say: (text: string | Buffer) => socket.write(text) }
}

const timed = async (work: () => Promise<unknown>) => {
  const from = performance.now()
  await work()
  return performance.now() - from
}

describe('a proxy without toxics', () => {
  it('hands everything on, both ways, to the end', async () => {
    const bytes = Buffer.alloc(5_000_000, 'abcdefg')
    const { socket, until, closed } = await client()
    socket.end(bytes)
    expect((await until(bytes.length)).equals(bytes)).toBe(true)
    expect(await closed).toBe('closed')
    await expect.poll(() => proxy.connections).toBe(0)
    expect([proxy.bytes, proxy.accepted]).toEqual([{ up: bytes.length, down: bytes.length }, 1])
  })

  it('tells the client of a server that is not there', async () => {
    echo.close()
    const { closed } = await client()
    expect(await closed).not.toBe('')
  })
})

describe('toxics', () => {
  it('latency: bytes come later, those behind each other at the same pace', async () => {
    proxy.set('down', { kind: 'latency', ms: 200 })
    const { say, until } = await client()
    const took = await timed(async () => {
      for (let i = 0; i < 10; i++) {
        say('x')
        await delay(5)
      }
      await until(10)
    })
    expect(took).toBeGreaterThan(195)
    expect(took).toBeLessThan(1_000)
  })

  it('latency: for a share of the chunks, the same for the same seed', async () => {
    proxy.set('down', { kind: 'latency', ms: 150, share: 0.3 })
    const times: number[] = []
    const { say, until } = await client()
    for (let i = 1; i <= 20; i++) {
      times.push(
        await timed(async () => {
          say('x')
          await until(i)
        }),
      )
    }
    const late = times.map((ms) => ms > 140)
    expect(late.filter(Boolean).length).toBeGreaterThan(0)
    expect(late.filter(Boolean).length).toBeLessThan(15)
    expect(late.map(Number).join('')).toMatchInlineSnapshot(`"00111000100001011000"`)
  })

  it('jitter: late by different times, and in order', async () => {
    proxy.set('up', { kind: 'jitter', ms: 60 })
    const { say, until, chunks } = await client()
    for (let i = 0; i < 30; i++) {
      say(String.fromCharCode(65 + i))
      await delay(10)
    }
    expect((await until(30)).toString()).toBe(
      Array.from({ length: 30 }, (_, i) => String.fromCharCode(65 + i)).join(''),
    )
    const gaps = chunks.slice(1).map(({ at }, i) => at - chunks[i]!.at)
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(5)
  })

  it('bandwidth: so many bytes a second', async () => {
    proxy.set('down', { kind: 'bandwidth', bytesPerSecond: 100_000 })
    const { say, until } = await client()
    const took = await timed(async () => {
      say(Buffer.alloc(50_000))
      await until(50_000)
    })
    expect(took).toBeGreaterThan(400)
    expect(took).toBeLessThan(2_000)
  })

  it('slicer: in small pieces', async () => {
    proxy.set('down', { kind: 'slicer', bytes: 100, variation: 50, delayMs: 2 })
    const { say, until, chunks } = await client()
    const bytes = Buffer.from(Array.from({ length: 2_000 }, (_, i) => i % 256))
    say(bytes)
    expect((await until(2_000)).equals(bytes)).toBe(true)
    expect(chunks.length).toBeGreaterThan(8)
    expect(new Set(chunks.map((chunk) => chunk.bytes.length)).size).toBeGreaterThan(3)
  })

  it('timeout: nothing gets through, and the connection is closed after a while', async () => {
    const { say, heard, closed } = await client()
    proxy.set('up', { kind: 'timeout', ms: 100 })
    say('x')
    expect(await timed(() => closed)).toBeGreaterThan(80)
    expect(heard()).toHaveLength(0)
  })

  it('timeout 0: never closed, and what was held goes on when all is well again', async () => {
    const { say, heard, until } = await client()
    proxy.set('up', { kind: 'timeout', ms: 0 })
    say('held')
    await delay(150)
    expect(heard()).toHaveLength(0)
    proxy.heal()
    expect((await until(4)).toString()).toBe('held')
  })

  it('reset: the client gets a reset, not an end', async () => {
    const { closed } = await client()
    proxy.set('down', { kind: 'reset', ms: 20 })
    expect(await closed).toBe('ECONNRESET')
  })

  it('limit: closed after so many bytes, which all arrive', async () => {
    const { say, until, heard, closed } = await client()
    say('before')
    await until(6)
    proxy.set('down', { kind: 'limit', bytes: 10 })
    say('0123456789abcdef')
    await closed
    expect(heard().toString()).toBe('before0123456789')
  })

  it('change while connections are open, for what is on the way too', async () => {
    proxy.set('down', { kind: 'latency', ms: 60_000 })
    const { say, until } = await client()
    say('x')
    await delay(50)
    const took = await timed(async () => {
      proxy.set('down', { kind: 'latency', ms: 100 })
      await until(1)
    })
    expect(took).toBeLessThan(1_000)
  })

  it('shut: open connections are reset and new ones too, until it is open again', async () => {
    const first = await client()
    proxy.shut()
    expect(await first.closed).toBe('ECONNRESET')
    expect(await (await client()).closed).toBe('ECONNRESET')
    proxy.open()
    const { say, until } = await client()
    say('x')
    expect((await until(1)).toString()).toBe('x')
  })

  it('stop reading when they hold too much', async () => {
    proxy.set('up', { kind: 'timeout', ms: 0 })
    const { socket } = await client()
    const bytes = Buffer.alloc(40_000_000)
    socket.write(bytes)
    await delay(300)
    expect(socket.writableLength).toBeGreaterThan(20_000_000)
  })
})
