import pg from 'pg'
import { toAppError } from './errors.ts'

/** As in the log (src/transports/log/skips.ts): no sequence that is asked less than a million times a second gets there. */
const numbersPerMs = 1_024

/**
 * Makes every sequence of 64 bits go on far behind where it is: a restored server does not know which numbers were given after
 * its backup, and fencing numbers and ids that others have seen must not be given again. Numbers of 32 bits are known to nobody
 * outside. @throws AppError UNAVAILABLE, INTERNAL
 */
export async function skipNumbers(url: string, now: number): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'splitstream restore' })
  client.on('error', () => {}) // The running statement reports a lost connection.
  try {
    await client.connect()
    await client.query(
      `SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, greatest(coalesce(last_value, 0) + 1, $1::bigint))
       FROM pg_sequences WHERE data_type = 'bigint'::regtype AND schemaname NOT LIKE 'pg\\_%'`,
      [now * numbersPerMs],
    )
  } catch (error) {
    throw toAppError(error, 'none')
  } finally {
    await client.end().catch(() => undefined)
  }
}
