import { orderSaga, type StubParticipants, startStubParticipants } from '@splitstream/sagas/kit/demo'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inject, patienceMs, type Rig, startRig } from './wedges.fixture.ts'

/** Locks of another session, as a migration, a dump or a forgotten transaction of an operator makes them: Postgres itself is well. */
let rig: Rig
let stubs: StubParticipants

beforeAll(async () => {
  stubs = await startStubParticipants({ onError: () => undefined })
  rig = await startRig({ SAGA_ALLOW_PRIVATE: '127.0.0.1' })
  const triggered = { trigger: { type: 'wanted' }, steps: [{ id: 'tell', emit: { type: 'told' } }] }
  for (const [name, definition] of Object.entries({ order: orderSaga(stubs), triggered })) {
    const published = await rig.api('PUT', `/v1/saga-definitions/${name}`, definition)
    expect(published.status, await published.text()).toBe(201)
  }
  await rig.event()
}, patienceMs)

afterAll(async () => {
  await rig?.stop()
  await stubs?.close()
}, patienceMs)

describe('readiness turns red within 15 s, with the cause, and green again', { timeout: patienceMs }, () => {
  it('when the worker of sagas cannot renew its lease', async () => {
    await inject('no lease', rig.url, rig.lock('sagas.workers'), { cause: /sagas: .*it has no lease/ })
  })

  it('when emitted events are not brought to the log', async () => {
    const cause = /sagas: .*bringing emitted events to the log has been under way for 1?\d s/
    await inject('stuck outbox', rig.url, rig.lock('sagas.outbox'), { cause })
  })

  it('when the consumer of sagas does not get to its events', async () => {
    const wedge = async () => {
      const release = await rig.lock('sagas.publications')()
      await rig.event({ type: 'wanted' })
      return release
    }
    await inject('stuck consumer', rig.url, wedge, { cause: /sagas: .*partition \d has not moved on/ })
  })

  it('when API keys cannot be read anew: one that was revoked would go on', async () => {
    const cause = /keys: the API keys are as they were 1?\d s ago/
    await inject('stale keys', rig.url, rig.lock('edge.api_keys'), { cause })
  })

  it('when all connections of a pool are held', async () => {
    const wedge = async () => {
      const release = await rig.lock('edge.api_keys')()
      for (let i = 0; i < 12; i++) void rig.api('GET', '/v1/keys').catch(() => undefined)
      return release
    }
    const cause = /postgres pools: no connection of edge was free for 1?\d s/
    await inject('exhausted pool', rig.url, wedge, { cause })
  })
})
