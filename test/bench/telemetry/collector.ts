/** A process that takes telemetry and forgets it: what a collector costs beyond that is not the server's. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const empty = { 'content-type': 'application/x-protobuf', 'content-length': 0 }
let bytes = 0

const server = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  request.on('end', () => response.writeHead(200, empty).end())
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.on('message', () => process.send?.({ bytes }))
process.on('disconnect', () => process.exit())
