import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conformanceReport, parseConformance, runConformance } from './index.ts'

/** A participant that knows no sagas: whatever is sent takes effect. */
let count = 0
const server = createServer((request, response) => {
  request.resume()
  if (request.method === 'POST') count++
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ 'a/b': [{ n: count }] }))
})
let url: string

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.close()
  server.closeAllConnections()
})

const description = () => ({
  url,
  do: { path: '/do', body: { id: '{{saga}}' } },
  undo: { path: '/undo' },
  refused: { path: '/do', body: {} },
  observe: { path: '/', pointer: '/a~1b/0/n' },
})

describe('the conformance test', () => {
  it('fails a participant without any protection in all cases but the first, and says why', async () => {
    const results = await runConformance(parseConformance(description()))
    expect(results.filter(({ passed }) => passed).map(({ name }) => name)).toEqual(['first-call'])
    expect(results.find(({ name }) => name === 'duplicate')?.detail).toContain('the same answer again')
    expect(results.find(({ name }) => name === 'undo')?.detail).toBe(
      'after the undo, observe() should differ by 0 and differs by 2',
    )
    const report = conformanceReport(results)
    expect(report).toMatch(/^passed {2}first-call/)
    expect(report).toMatch(/FAILED {2}crash .*\n {8}expected: fails with 5xx/)
    expect(report).toMatch(/1 passed, 11 failed\n$/)
  })

  it('fails, and does not hang, where nobody listens', async () => {
    const results = await runConformance(parseConformance({ ...description(), url: 'http://127.0.0.1:9' }))
    expect(results.filter(({ passed }) => passed)).toEqual([])
  })

  it('runs the cases that are named', async () => {
    const options = { ...parseConformance(description()), cases: ['undo', 'first-call'] }
    expect((await runConformance(options)).map(({ name }) => name)).toEqual(['first-call', 'undo'])
    await expect(runConformance({ ...options, cases: ['nonsense'] })).rejects.toThrow('There is no case nonsense')
  })

  it('says what is wrong with a description', () => {
    expect(() => parseConformance({ ...description(), url: 'ftp://x', undo: undefined, extra: 1 })).toThrow(
      /extra[\s\S]*url[\s\S]*undo/,
    )
  })
})
