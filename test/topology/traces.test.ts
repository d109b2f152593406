import { it } from 'vitest'
import { type ProcessRow, startFleet } from '../support/fleet.ts'
import { startTraced } from './traces/traced.ts'

/*
 * What the traces are like: node_modules/.bin/vitest run --project topology test/topology/traces.test.ts with UPDATE=1 writes it.
 * That they are the same in every layout is part of topology.test.ts.
 */
const timeout = 120_000

const row = (...modules: ProcessRow['modules']): ProcessRow => ({ name: modules.join('-'), modules })

it(
  'a trace goes from the request through log, storage and ClickHouse, and through the steps of sagas and their undo',
  async () => {
    await using traced = await startTraced()
    const processes = [row('ingest', 'storage', 'query', 'sagas')]
    const fleet = await startFleet({ processes, events: 'local', sharedClickHouse: true, env: traced.env })
    try {
      await traced.tell(fleet)
    } catch (error) {
      process.stderr.write(`${fleet.output().slice(-20_000)}\n`)
      throw error
    } finally {
      // With it the last spans come.
      await fleet.stop()
    }
    traced.check()
  },
  timeout,
)
