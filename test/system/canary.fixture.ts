import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { ModuleName } from '../../src/registry.ts'

/** Texts of which each is found again wherever it goes; `planted` has all of them. */
export class Canaries {
  readonly planted: string[] = []

  /** @param what letters; where it was planted */
  plant(what: string): string {
    const canary = `canary${what}x${this.planted.length}x`
    this.planted.push(canary)
    return canary
  }

  /** Those that are in these bytes, in plain or in base64, whatever their case. */
  found(bytes: Buffer): string[] {
    const text = bytes.toString('latin1').toLowerCase()
    const base64 = bytes.toString('latin1')
    return this.planted.filter((canary) => {
      // Without the characters that depend on what is before and behind.
      const inner = [0, 1, 2].map((shift) =>
        Buffer.from(`${'~'.repeat(shift)}${canary}`)
          .toString('base64')
          .slice(4, -4),
      )
      return text.includes(canary.toLowerCase()) || inner.some((part) => base64.includes(part))
    })
  }
}

/** A participant whose answers are full of canaries, good and bad ones. */
export async function birdcage(canaries: Canaries) {
  const canary = canaries.plant('answer')
  const header = canaries.plant('header')
  const server = createServer((request, response) => {
    const status = Number(/\/(\d{3})/.exec(request.url ?? '')?.[1] ?? 200)
    request.resume().on('end', () => {
      const headers = { 'content-type': 'application/json', 'x-note': header }
      response.writeHead(status, headers).end(status === 299 ? `{"bad":${canary}` : JSON.stringify({ note: canary }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export interface Target {
  /** Where a request goes: with several processes, as a gateway before them sends it. */
  urlFor(method: string, path: string): string
  readonly key: string
  readonly canaries: Canaries
}

type Ask = {
  readonly body?: string | Uint8Array
  readonly type?: string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that is traced; its status. */
export async function ask({ urlFor, key }: Target, method: string, path: string, o: Ask = {}): Promise<number> {
  const response = await fetch(urlFor(method, path) + path, {
    method,
    headers: {
      authorization: `Bearer ${o.key ?? key}`,
      ...(o.body !== undefined && { 'content-type': o.type ?? 'application/json' }),
      ...o.headers,
    },
    ...(o.body !== undefined && { body: o.body }),
  })
  await response.arrayBuffer()
  return response.status
}

/** Reads a live stream until it says so, and leaves. @throws Error when it does not within half a minute */
export async function listen(
  { urlFor, key }: Target,
  path: string,
  said: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const signal = AbortSignal.timeout(30_000)
  const answer = await fetch(urlFor('GET', path) + path, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    signal,
  })
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes(said)) return
  }
  throw new Error(`the stream ended (${answer.status}) with ${text.slice(-500)}`)
}

/** To the module that answers it, as the gateway in deploy/ does. */
export function moduleFor(method: string, path: string): ModuleName {
  if (method === 'POST' && /^\/v1\/events\b/.test(path)) return 'ingest'
  if (/^\/v1\/(dead-letters|losses)\b/.test(path)) return 'storage'
  return /^\/v1\/(sagas|saga-definitions|saga-signing-secret|refused-events)\b/.test(path) ? 'sagas' : 'query'
}

export const lines = 'application/x-ndjson'

/** An event with a canary in every field. */
export function event(canaries: Canaries, more: Readonly<Record<string, unknown>> = {}): string {
  const plant = (what: string): string => canaries.plant(what)
  return JSON.stringify({
    specversion: '1.0',
    id: plant('id'),
    source: `/${plant('source')}`,
    type: plant('type'),
    subject: plant('subject'),
    dataschema: `https://example.test/${plant('schema')}`,
    datacontenttype: 'application/json',
    someextension: plant('extension'),
    data: { [plant('name')]: plant('value'), list: [plant('item')], text: plant('text') },
    ...more,
  })
}

/** Asks again until it is so. @throws Error after half a minute */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 30_000; !(await holds()); await delay(100)) {
    if (performance.now() > end) throw new Error(`it never came to this: ${holds}`)
  }
}
