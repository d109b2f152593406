import { expect, it } from 'vitest'
import { parseDefinition } from '../domain/check-definition.ts'
import { planSaga } from '../domain/plan.ts'
import { tenant } from './worker.fixture.ts'
import { database, define, one } from './worker-stage.fixture.ts'

it('a child that is told of its undo before it is there hears of it, though it begins with a long wait', async () => {
  await one.publish('child', define([{ id: 'nap', wait: { for: '30d' } }]))
  // The parent begins it and fails in the same turn.
  const failing = { id: 'tell', emit: { type: 't', data: '${input.none}' } }
  const parent = define([{ id: 'all', parallel: [[{ id: 'sub', child: { saga: 'child' } }], [failing]] }])
  await one.publish('parent', parent)
  const plan = planSaga('parent', 1, parseDefinition('parent', parent))
  const id = await database.postgres.tx(async (tx) => {
    // So the child cannot be made before it is told.
    await tx.query('LOCK TABLE definitions IN ACCESS EXCLUSIVE MODE')
    const { id } = await one.worker.begin({ tenant, plan, input: {} })
    await expect.poll(() => database.postgres.query('SELECT 1 FROM mail'), { timeout: 10_000 }).toHaveLength(1)
    return id
  })
  const { entries } = await one.until(id, 'compensated')
  expect(entries.some(({ e }) => e === 'undone')).toBe(true)
}, 20_000)
