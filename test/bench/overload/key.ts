/** A key for events; what is given is that of POST /v1/keys. @returns its secret */
export async function makeKey(url: string, adminKey: string, key: object): Promise<string> {
  const response = await fetch(`${url}/v1/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ scopes: ['ingest'], ...key }),
  })
  if (response.status !== 201) throw new Error(`no key: ${await response.text()}`)
  return ((await response.json()) as { key: string }).key
}
