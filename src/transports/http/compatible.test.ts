import { defineCallPort, silentLogger, systemClock } from '@splitstream/kernel'
import { afterEach, expect, it, vi } from 'vitest'
import { discover } from '../../discovery/discover.ts'
import { CompatibleDiscovery } from './compatible.ts'
import {
  callerWith,
  closeAll,
  deadOrigin,
  type Listening,
  listen,
  type Small,
  secret,
  serveSmall,
  smallPort,
} from './http.fixture.ts'
import { createPortServer, servePort } from './server.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await closeAll()
})

const patience = { timeout: 5_000, interval: 20 }
/** The port as a build of an earlier version has it. */
const { items: _, ...earlier } = smallPort.methods
const earlierPort = defineCallPort<Omit<Small, 'items'>>('test.small', 2, earlier)

/** A process of an earlier version, which is upgraded in its place. */
async function serveEarlier(): Promise<Listening & { upgrade(): void }> {
  const common = { secret, clock: systemClock, logger: silentLogger }
  const [before, after] = [earlierPort, smallPort].map((port) =>
    createPortServer({ ...common, ports: [servePort<object>(port as never, () => ({}))] }),
  )
  let serving = before!
  const listening = await listen((request, response) => serving.handler(request, response))
  return {
    ...listening,
    upgrade: () => {
      serving = after!
    },
  }
}

async function linkTo(origins: readonly string[], o: { methods?: readonly string[]; secret?: string } = {}) {
  const needed = { port: smallPort, methods: o.methods, setting: 'LINK_TEST' }
  const link = { kind: 'static' as const, url: `http://${origins.map((origin) => new URL(origin).host).join(',')}` }
  const options = { clock: systemClock, logger: silentLogger }
  let compatible!: CompatibleDiscovery
  const instances = discover(link, options, (found) => {
    compatible = new CompatibleDiscovery(found, { needed, caller: callerWith(o.secret ?? secret), ...options })
    return compatible
  })
  ends.push(() => instances.stop())
  await instances.start()
  return { instances, compatible, called: () => instances.current().map(({ origin }) => origin) }
}

it('the only instance lacks a method: the link is down and says what to upgrade, until that is done', async () => {
  const callee = await serveEarlier()
  const { instances, compatible, called } = await linkTo([callee.origin])
  const reason = `${callee.origin} does not serve items of test.small v2: upgrade the process there`
  expect(instances.health()).toEqual({ state: 'down', reason })
  expect(compatible.lack).toBe(reason)
  // What both know still works.
  expect(called()).toEqual([callee.origin])
  callee.upgrade()
  await vi.waitFor(() => expect(instances.health()).toEqual({ state: 'ok' }), patience)
  expect(compatible.lack).toBeUndefined()
})

it('one of two instances lacks a method: calls go to the other one, until both serve it', async () => {
  const [old, present] = [await serveEarlier(), await serveSmall()]
  const { instances, compatible, called } = await linkTo([old.origin, present.origin])
  expect(called()).toEqual([present.origin])
  expect(instances.health()).toEqual({ state: 'degraded', reason: expect.stringContaining(old.origin) })
  expect(compatible.lack).toBeUndefined()
  old.upgrade()
  await vi.waitFor(() => expect(called()).toEqual([old.origin, present.origin]), patience)
  expect(instances.health()).toEqual({ state: 'ok' })
})

it('a method that nobody calls here may be missing', async () => {
  const { instances } = await linkTo([(await serveEarlier()).origin], { methods: ['echo'] })
  expect(instances.health()).toEqual({ state: 'ok' })
})

it('an instance that is away, or has another secret, is not taken for an old one', async () => {
  const away = await linkTo([await deadOrigin()])
  expect([away.instances.health(), away.compatible.lack]).toEqual([{ state: 'ok' }, undefined])
  const strange = await linkTo([(await serveSmall()).origin], { secret: 'another secret, as long' })
  expect(strange.instances.health()).toEqual({
    state: 'degraded',
    reason: expect.stringContaining('another INTERNAL_SECRET'),
  })
  expect(strange.called()).toHaveLength(1)
})

it('one that lacks a method and goes away stands as it did, until it is back', async () => {
  const callee = await serveEarlier()
  const { compatible } = await linkTo([callee.origin])
  const { port } = new URL(callee.origin)
  await callee.close()
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  expect(compatible.lack).toBeDefined()
  const { server } = await serveSmall()
  // The upgraded process comes back at the same address.
  await new Promise((resolve) => server.close(resolve))
  await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve))
  await vi.waitFor(() => expect(compatible.lack).toBeUndefined(), patience)
})
