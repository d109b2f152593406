import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, type Logger, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { describeUnless } from '../../../../test/support/suite.ts'
import { Authority, authorityUnavailable, type Issued, inDays } from './authority.fixture.ts'
import { readCredentials } from './credentials.ts'
import { Rotation } from './rotation.ts'

describeUnless(authorityUnavailable, 'the files of mutual TLS', () => {
  let authority: Authority
  let other: Authority
  let first: Issued
  let second: Issued
  let dir: string
  let folders = 0
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
    dir = await mkdtemp(join(tmpdir(), 'splitstream-tls-'))
    warnings.length = 0
  })
  afterEach(async () => {
    await rotation?.stop()
    rotation = undefined
    await rm(dir, { recursive: true, force: true })
  })

  const files = () => ({ cert: join(dir, '..data/cert'), key: join(dir, '..data/key'), ca: join(dir, '..data/ca') })

  /** As Kubernetes changes a mounted secret: a new folder, and a symbolic link that moves to it in one step. */
  async function mount({ cert, key }: Issued, ca = authority.ca): Promise<void> {
    const folder = join(dir, `..${folders++}`)
    await mkdir(folder)
    await Promise.all(Object.entries({ cert, key, ca }).map(([name, text]) => writeFile(join(folder, name), text)))
    await symlink(folder, join(dir, '..next'))
    await rename(join(dir, '..next'), join(dir, '..data'))
  }

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
