import { silentLogger } from '@splitstream/kernel'
import { afterEach, expect, it, vi } from 'vitest'
import { ProtocolAgent } from '../discovery/consul/protocol-agent.fixture.ts'
import { registerService } from '../discovery/consul/registration.ts'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { ProcessHealth } from './process-health.ts'
import { watchConsul } from './watched-consul.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})
const within = { timeout: 20_000, interval: 50 }

it('is down while Consul does not answer, though nobody asks there, and tells of its calls', async () => {
  const agent = new ProtocolAgent()
  await agent.start()
  ends.push(() => agent.stop())
  const clock = new ManualClock()
  const metrics = createMetrics()
  const health = new ProcessHealth({ clock, metrics })
  const access = watchConsul({ url: agent.url }, { health, metrics })
  await health.start()
  ends.push(() => health.stop())
  const consul = () => health.dependencies().consul!
  /** The next question is due. */
  const later = () => clock.advance(5_001)

  const service = { name: 'storage', id: 'storage-1', address: '127.0.0.1', port: 1 }
  const registration = registerService(service, { access, clock, logger: silentLogger })
  await registration.start()
  ends.push(() => registration.stop())
  await vi.waitFor(() => expect(consul()).toMatchObject({ state: 'ok', errorRate: 0 }), within)
  // Registered, and asked for its leader.
  await vi.waitFor(() => expect(consul().calls).toBeGreaterThanOrEqual(2), within)
  const text = await metrics.text()
  expect(text).toMatch(/^http_client_request_duration_seconds_count\{[^}]*"consul"[^}]*"PUT"[^}]*"200"[^}]*\} 1$/m)

  await agent.kill()
  const away = { state: 'down', reason: expect.stringContaining('Consul does not answer') }
  await vi.waitFor(() => {
    later()
    expect(consul()).toMatchObject(away)
  }, within)
  expect(registration.health()).toMatchObject({ state: 'degraded' })
  await agent.start()
  await vi.waitFor(() => {
    later()
    expect(consul()).toMatchObject({ state: 'ok' })
  }, within)
})
