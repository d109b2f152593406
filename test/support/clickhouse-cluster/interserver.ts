import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { hashOfFile } from './cityhash.ts'

/**
 * The exchange of parts between replicas (DataPartsExchange), version 4 of its protocol: what a ClickHouse server does on
 * interserver_http_port, and the engine alone does not. Parts are read from the folders of the engines.
 */
export interface Interserver {
  readonly port: number
  /** Replicas whose parts nobody gets: by name. */
  readonly cut: Set<string>
  stop(): Promise<void>
}

const protocol = 4

/** @param folders of the engines' data, by the name of the replica */
export async function startInterserver(port: number, folders: ReadonlyMap<string, string>): Promise<Interserver> {
  const cut = new Set<string>()
  const server = createServer(async (request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost')
    // …/<database>/<table>/replicas/<replica>. Parts of other tables of the replica may have the same name.
    const endpoint = searchParams.get('endpoint') ?? ''
    const [, database = '', table = '', replica = ''] = /([^/]+)\/([^/]+)\/replicas\/([^/]+)$/.exec(endpoint) ?? []
    const part = searchParams.get('part') ?? ''
    const folder = folders.get(replica)
    const path = folder === undefined ? '' : join(folder, 'data', database, table, part)
    if (path === '' || cut.has(replica) || !existsSync(path))
      return void response.writeHead(500).end(`No part ${part} here`)
    response.setHeader('Set-Cookie', `server_protocol_version=${protocol}`)
    response.end(await wholePart(path))
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function wholePart(path: string): Promise<Buffer> {
  const names = (await readdir(path)).filter((name) => name !== 'txn_version.txt')
  const files = await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(path, name)) })))
  const type = names.includes('data.bin') ? 'Compact' : 'Wide'
  const size = files.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const head = [u64(size), text('ttl format version: 1\n{}'), text(type), u64(files.length)]
  return Buffer.concat([
    ...head,
    ...files.flatMap(({ name, bytes }) => [text(name), u64(bytes.length), bytes, hashOfFile(bytes)]),
  ])
}

function u64(value: number): Buffer {
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(BigInt(value))
  return out
}

/** Its length as a varint, then its bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const length: number[] = []
  let rest = bytes.length
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}
