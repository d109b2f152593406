/** A thousand events of so many sources, stored when it resolves. */
export async function sendEvents(url: string, key: string, sources: number): Promise<void> {
  const lines = Array.from({ length: 1_000 }, (_, i) =>
    JSON.stringify({
      id: String(i),
      source: `/bench/${i % sources}`,
      type: 'bench',
      time: new Date(1_767_225_600_000 + i * 1_000).toISOString(),
      data: { n: i },
    }),
  )
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' }
  const answer = await fetch(`${url}/v1/events?wait=stored`, { method: 'POST', headers, body: lines.join('\n') })
  if (answer.status !== 200) throw new Error(`the events were not stored: ${answer.status} ${await answer.text()}`)
}
