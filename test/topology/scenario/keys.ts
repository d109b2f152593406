import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { Client } from './client.ts'
import type { Installation } from './story.ts'

/** A key that was made in one place works everywhere within so many ms. */
const everywhereMs = 3_000

/** Makes a tenant's key at one address and uses it at all. */
export async function keys({ urls, operatorKey, tenant = 'acme' }: Installation): Promise<string> {
  const [first] = urls.all
  const body = JSON.stringify({ name: 'scenario', tenant, scopes: ['ingest', 'query', 'sagas', 'admin'] })
  const made = await new Client([first!], operatorKey).ask<{ key: string }>('POST', '/v1/keys', { body })
  expect(made.status).toBe(201)
  const since = performance.now()
  for (const url of urls.all) {
    const client = new Client([url], made.json.key)
    while ((await client.ask('GET', '/v1/keys')).status !== 200) {
      expect(performance.now() - since).toBeLessThan(everywhereMs)
      await delay(50)
    }
    const stranger = await new Client([url], 'a-key-that-nobody-has-ever-made').ask('GET', '/v1/keys')
    expect(stranger).toMatchObject({ status: 401, json: { code: 'UNAUTHENTICATED' } })
  }
  return made.json.key
}
