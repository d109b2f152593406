import { rm, writeFile } from 'node:fs/promises'
import { type Clock, type Logger, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { describeUnless } from '../../../../test/support/suite.ts'
import { Authority, authorityUnavailable, type Issued, inDays } from './authority.fixture.ts'
import { readCredentials } from './credentials.ts'
import { Mounted } from './mounted.fixture.ts'
import { Rotation } from './rotation.ts'

describeUnless(authorityUnavailable, 'the files of mutual TLS', () => {
  let authority: Authority
  let other: Authority
  let first: Issued
  let second: Issued
  let mounted: Mounted
  let rotation: Rotation | undefined
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) }

  beforeAll(async () => {
    ;[authority, other] = await Promise.all([Authority.create('one'), Authority.create('other')])
    first = await authority.issue({ names: ['DNS:Storage', 'IP:10.0.0.1', 'URI:spiffe://acme/Storage'] })
    second = await authority.issue({ names: ['DNS:storage'] })
  })
  afterAll(() => Promise.all([authority?.close(), other?.close()]))

  beforeEach(async () => {
    mounted = await Mounted.create()
    warnings.length = 0
  })
  afterEach(async () => {
    await rotation?.stop()
    rotation = undefined
    await mounted.close()
  })

  const files = () => mounted.files
  const mount = (issued: Issued, ca = authority.ca): Promise<void> => mounted.become(issued, ca)

  async function open(clock: Clock = systemClock): Promise<Rotation> {
    rotation = new Rotation(await readCredentials(files()), { clock, logger, everyMs: 10 })
    await rotation.start()
    return rotation
  }

  it('are read with the names and dates of the certificate', async () => {
    await mount(first)
    const { certificate } = (await open()).current
    expect(certificate.names).toEqual(['storage', 'spiffe://acme/Storage'])
    expect(certificate.until).toBeGreaterThan(inDays(300).getTime())
  })

  it('are taken anew when the link of their folder moves, and say whether it is about the CA', async () => {
    await mount(first)
    const opened = await open()
    const changes: unknown[] = []
    opened.onChange((change) => changes.push(change))
    await mount(second)
    await vi.waitFor(() => expect(opened.current.cert).toBe(second.cert))
    await mount(second, authority.ca + other.ca)
    await vi.waitFor(() => expect(changes).toEqual([{ trust: false }, { trust: true }]))
  })

  it('leave everything as it was while they do not fit together', async () => {
    await mount(first)
    const opened = await open()
    await writeFile(files().cert, second.cert)
    await vi.waitFor(() => expect(opened.health()).toMatchObject({ state: 'degraded' }))
    expect(opened.health().reason).toMatch(/^INTERNAL_TLS_KEY: .*; what was read before is used$/)
    expect(opened.current.cert).toBe(first.cert)
    expect(warnings).toHaveLength(1)
    await writeFile(files().key, second.key)
    await vi.waitFor(() => expect(opened.health()).toEqual({ state: 'ok' }))
    expect(opened.current.cert).toBe(second.cert)
  })

  it.each([
    ['cert', 'INTERNAL_TLS_CERT'],
    ['key', 'INTERNAL_TLS_KEY'],
    ['ca', 'INTERNAL_TLS_CA'],
  ] as const)('a bad %s names its setting', async (file, setting) => {
    await mount(first)
    const named = { code: 'CONFIG_INVALID', message: expect.stringContaining(`${setting}: ${files()[file]}`) }
    await writeFile(files()[file], 'nothing of use')
    await expect(readCredentials(files())).rejects.toMatchObject(named)
    await rm(files()[file])
    await expect(readCredentials(files())).rejects.toMatchObject(named)
  })

  it('warn once a day from two weeks before the end on, and say when it is over', async () => {
    await mount(first)
    const shift = { days: 300 }
    const clock: Clock = {
      ...systemClock,
      now: () => Date.now() + shift.days * 86_400_000,
      monotonic: () => performance.now() + shift.days * 86_400_000,
    }
    const opened = await open(clock)
    expect(warnings).toEqual([])
    for (const days of [352, 352.5, 353.1, 364]) {
      shift.days = days
      await vi.waitFor(() => expect(warnings).toHaveLength({ 352: 1, 352.5: 1, 353.1: 2, 364: 3 }[days]!))
    }
    expect(opened.health()).toEqual({ state: 'ok' })
    shift.days = 366
    expect(opened.health()).toMatchObject({ state: 'degraded', reason: expect.stringContaining('ended') })
  })

  it('of a short life are not spoken of as long as they are renewed', async () => {
    await mount(await authority.issue({ names: ['DNS:a'], from: inDays(-0.5), until: inDays(0.5) }))
    await open()
    expect(warnings).toEqual([])
    await mount(await authority.issue({ names: ['DNS:a'], from: inDays(-0.9), until: inDays(0.1) }))
    await vi.waitFor(() => expect(warnings).toHaveLength(1))
  })
})
