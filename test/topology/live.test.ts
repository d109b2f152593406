import { expect, it } from 'vitest'
import { startFleet } from '../support/fleet.ts'

/**
 * The process that streams stays, and the one that stores is stopped, then killed: the client's connection is never cut, and it gets
 * each event once.
 */
it('a live stream goes on when the process behind it comes back', async () => {
  await using fleet = await startFleet({
    processes: [
      { name: 'writer', modules: ['ingest', 'storage', 'sagas'] },
      { name: 'reader', modules: ['query'] },
    ],
    events: 'local',
    sharedClickHouse: true,
  })
  const headers = { authorization: `Bearer ${fleet.adminKey}`, 'content-type': 'application/x-ndjson' }
  const write = async (from: number): Promise<void> => {
    const events = Array.from({ length: 50 }, (_, i) => ({ id: `${from + i}`, source: `/s${i % 5}`, type: 't' }))
    const body = events.map((event) => JSON.stringify(event)).join('\n')
    const url = `${fleet.urlFor('ingest')}/v1/events?wait=stored`
    expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200)
  }
  const answer = await fetch(`${fleet.urlFor('query')}/v1/events/stream`, { headers })
  expect(answer.status).toBe(200)
  const seen: number[] = []
  const reading = (async () => {
    let rest = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      for (const line of lines) if (line.startsWith('data: ')) seen.push(Number(JSON.parse(line.slice(6)).id))
      if (seen.length >= 200) return
    }
    throw new Error('the stream ended')
  })()
  const written = async (from: number): Promise<void> => {
    await write(from)
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(from + 50)
  }
  await written(0)
  await fleet.process('writer').restart()
  await written(50)
  await fleet.process('writer').kill()
  await fleet.process('writer').start()
  await written(100)
  await written(150)
  await reading
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i))
}, 120_000)
