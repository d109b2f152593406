import { Client } from './client.ts'
import type { Tenant } from './load.ts'

/** Two tenants, so that equal ids of different tenants meet. The second one's key is made here: call it once. */
export async function twoTenants(url: string, adminKey: string): Promise<Tenant[]> {
  const client = new Client(url, adminKey)
  const made = await client.json<{ key: string }>('POST', '/v1/keys', {
    name: 'chaos',
    tenant: 'other',
    scopes: ['ingest', 'query'],
  })
  client.close()
  return [
    { name: 'default', key: adminKey },
    { name: 'other', key: made.key },
  ]
}
