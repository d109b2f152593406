import { AppError, type Postgres } from '@splitstream/kernel'

/** A secret that all processes of the installation share; made of `fresh` by whoever comes first. */
export async function sharedSecret(postgres: Postgres, name: string, fresh: Uint8Array): Promise<Buffer> {
  await postgres.query('INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [name, fresh])
  const [row] = await postgres.query<{ value: Buffer }>('SELECT value FROM secrets WHERE name = $1', [name])
  if (!row) throw new AppError('UNAVAILABLE', `The shared secret ${name} went away while it was made`)
  return row.value
}
