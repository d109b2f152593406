import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { moduleNames } from '../../src/registry.ts'
import { serverProcesses, signal } from '../chaos/processes.ts'
import { type EventsPlace, type ProcessRow, startFleet } from '../support/fleet.ts'
import { kafkaUnavailable } from '../support/kafka/source.ts'
import { startKafka } from '../support/kafka/start.ts'
import { type OtlpReceiver, startReceiver } from '../support/otlp/receiver.ts'
import { startServer } from '../support/server.ts'
import { describeUnless } from '../support/suite.ts'
import { Engine } from '../topology/scenario/engine.ts'
import { ask, birdcage, Canaries, event, lines, listen, moduleFor, type Target, until } from './canary.fixture.ts'

/*
 * What clients send is theirs: nothing of it may be in logs (all levels), spans, metrics or what is said of health. Every test
 * sends requests of one kind, good and bad, with a text of its own in each field; at the end nothing of it is found again.
 */
interface Place {
  urlFor(method: string, path: string): string
  /** Of all processes. */
  readonly urls: readonly string[]
  readonly key: string
  /** Where something can be done to the engine. */
  readonly engine?: Engine
  killEngine?(): void
  /** Of each process. */
  outputs(): string[]
  stop(): Promise<unknown>
}

/** Processes on engines that are not theirs. */
async function fleet(
  processes: readonly ProcessRow[],
  events: EventsPlace,
  env: Record<string, string>,
): Promise<Place> {
  const fleet = await startFleet({ processes, events, sharedClickHouse: true, env })
  return {
    urlFor: (method, path) => fleet.urlFor(moduleFor(method, path)),
    urls: fleet.processes.map(({ url }) => url),
    key: fleet.adminKey,
    engine: new Engine(fleet.clickhouseUrl!),
    outputs: () => fleet.processes.map((process) => process.output()),
    stop: fleet.stop,
  }
}

const shared = (env: Record<string, string>) => fleet([{ name: 'all', modules: moduleNames }], 'local', env)

/** A call of a port over HTTP, with the secret; the live tail over it as well. */
function split(env: Record<string, string>): Promise<Place> {
  const front: ProcessRow = { name: 'front', modules: moduleNames.filter((module) => module !== 'query') }
  return fleet([front, { name: 'query', modules: ['query'] }], 'local', env)
}

/** Everything over HTTP and Kafka. */
async function apart(env: Record<string, string>): Promise<Place> {
  const cluster = await startKafka()
  try {
    const place = await fleet(
      moduleNames.map((module) => ({ name: module, modules: [module] })),
      { brokers: cluster.brokers },
      env,
    )
    const stop = async (): Promise<void> => {
      await place.stop()
      await cluster.stop()
    }
    return { ...place, stop }
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

async function embedded(env: Record<string, string>): Promise<Place> {
  const server = await startServer({ env: { ...env, ADMIN_KEY: randomBytes(24).toString('hex') } })
  const { url, adminKey: key, dataDir, output, stop } = server
  const killEngine = (): void => void signal(serverProcesses(dataDir).clickhouse!.pid, 'SIGKILL')
  return { urlFor: () => url, urls: [url], key, killEngine, outputs: () => [output()], stop }
}

// In this order: the last one looks at what the others left.
const places = {
  'engines of their own': shared,
  'the embedded engines': embedded,
  'query in a process of its own': split,
  'every module in a process of its own, over Kafka': apart,
}
const missing = await kafkaUnavailable()
for (const [name, start] of Object.entries(places))
  describeUnless(start === apart ? missing : undefined, `what clients send, with ${name},`, () =>
    describe('is theirs:', { shuffle: false }, () => {
      const canaries = new Canaries()
      const plant = (what: string): string => canaries.plant(what)
      let receiver: OtlpReceiver
      let place: Place
      let target: Target
      let cage: Awaited<ReturnType<typeof birdcage>>

      beforeAll(async () => {
        receiver = await startReceiver()
        cage = await birdcage(canaries)
        place = await start({
          LOG_LEVEL: 'debug',
          OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
          OTEL_EXPORTER_OTLP_HEADERS: `authorization=${plant('otlp')}`,
          OTEL_TRACES_SAMPLER_ARG: '1',
          OTEL_METRIC_EXPORT_INTERVAL: '1000',
          SAGA_ALLOW_PRIVATE: '127.0.0.1',
          INTERNAL_SECRET: plant('internalsecret').padEnd(32, 'x'),
        })
        target = { urlFor: place.urlFor, key: place.key, canaries }
        canaries.planted.push(place.key)
      }, 300_000)
      afterAll(async () => {
        cage?.close()
        await place?.stop()
        await receiver?.stop()
      })

      const post = (path: string, body: string | Uint8Array, type?: string): Promise<number> =>
        ask(target, 'POST', path, { body, ...(type !== undefined && { type }) })

      it('events', async () => {
        expect(await post('/v1/events?wait=stored', [event(canaries), event(canaries)].join('\n'), lines)).toBe(200)
        const again = event(canaries)
        expect(await post('/v1/events?wait=stored', [again, again].join('\n'), lines)).toBe(200)
        expect(await post('/v1/events', `[${event(canaries)},{"id":"${plant('bad')}"}]`)).toBe(202)
        expect(await post('/v1/events?mode=strict', `[{"id":"${plant('bad')}","source":7}]`)).toBe(422)
        expect(await post('/v1/events', `{"id":"${plant('malformed')}`)).toBeGreaterThanOrEqual(400)
        expect(await post('/v1/events', plant('notjson'), lines)).toBe(422)
        expect(await post('/v1/events', event(canaries, { time: plant('time') }))).toBe(422)
        expect(await post(`/v1/events?mode=${plant('mode')}`, event(canaries))).toBe(400)
        expect(await post('/v1/events', plant('typed'), `text/${plant('mediatype')}`)).toBe(415)
        const binary = { 'ce-id': plant('ceid'), 'ce-type': plant('cetype'), 'ce-source': plant('cesource') }
        const headers = { ...binary, 'ce-specversion': '1.0', 'ce-other': plant('ceext') }
        expect(await ask(target, 'POST', '/v1/events', { body: plant('bytes'), type: 'text/plain', headers })).toBe(202)
      })

      it('events that the engine cannot store, and their replay', async () => {
        const { engine } = place
        if (!engine) return
        const poison = plant('poison')
        await engine.run(`ALTER TABLE events ADD CONSTRAINT no_poison CHECK type != '${poison}'`)
        const batch = [event(canaries), event(canaries, { type: poison }), event(canaries)].join('\n')
        expect(await post('/v1/events?wait=stored', batch, lines)).toBe(200)
        expect(await ask(target, 'GET', `/v1/dead-letters?code=${plant('code')}`)).toBe(200)
        expect(await ask(target, 'GET', `/v1/dead-letters/${plant('letter')}`)).toBe(404)
        expect(await post('/v1/dead-letters/replay', JSON.stringify({ ids: [plant('ids')] }))).toBe(200)
        expect(await post('/v1/dead-letters/replay', `{"ids":"${plant('ids')}"`)).toBe(400)
        await engine.run('ALTER TABLE events DROP CONSTRAINT no_poison')
      })

      it('queries', async () => {
        const where = encodeURIComponent(`data.text = "${plant('literal')}"`)
        expect(await ask(target, 'GET', `/v1/events?type=${plant('type')}&where=${where}`)).toBe(200)
        expect(await ask(target, 'GET', `/v1/events?where=${encodeURIComponent(`data.x ~ ${plant('bad')}`)}`)).toBe(400)
        expect(await ask(target, 'GET', `/v1/events?cursor=${plant('cursor')}`)).toBe(400)
        expect(await ask(target, 'GET', `/v1/events?after=${plant('position')}`)).toBe(400)
        expect(await ask(target, 'GET', `/v1/events?${plant('parameter')}=1`)).toBe(400)
        const query = (filter: object, more: object = {}): Promise<number> =>
          post(
            '/v1/query',
            JSON.stringify({
              measures: [{ fn: 'count', as: plant('as') }],
              groupBy: [`data.${plant('path')}`],
              range: { from: '2020-01-01T00:00:00Z', to: '2030-01-01T00:00:00Z' },
              filters: [filter],
              limit: 1,
              ...more,
            }),
          )
        expect(await query({ field: 'subject', op: 'eq', value: plant('literal') })).toBe(200)
        expect(await query({ field: 'data.text', op: 'in', value: [plant('literal'), plant('literal')] })).toBe(200)
        expect(await query({ field: 'time', op: 'gt', value: plant('nottime') })).toBeGreaterThanOrEqual(400)
        expect(await query({ field: plant('field'), op: 'eq', value: 1 })).toBe(400)
        expect(await query({ field: 'subject', op: 'eq', value: 'x' }, { [plant('member')]: 1 })).toBe(400)
        expect(await post('/v1/query', `{"measures":"${plant('malformed')}`)).toBe(400)
      })

      it('the live tail', async () => {
        const type = plant('livetype')
        const where = encodeURIComponent(`data.text != "${plant('liveliteral')}"`)
        const path = `/v1/events/stream?type=${type}&where=${where}`
        const heard = listen(target, path, canaries.plant('heard'))
        // Until the stream is there.
        const told = setInterval(
          () => void post('/v1/events', event(canaries, { type, data: { text: canaries.planted.at(-1) } })),
          500,
        )
        await heard.finally(() => clearInterval(told))
        expect(await ask(target, 'GET', `/v1/events/stream?after=${plant('after')}`)).toBe(400)
        const headers = { 'last-event-id': plant('lasteventid') }
        expect(await ask(target, 'GET', '/v1/events/stream', { headers })).toBe(400)
      })

      it('keys, paths and headers', async () => {
        const wrong = `ss_live_${plant('key')}_secretsecretsecret`
        expect(await ask(target, 'GET', '/v1/events', { key: wrong })).toBe(401)
        expect(await ask(target, 'GET', '/v1/events', { key: plant('nokey') })).toBe(401)
        const headers = { 'user-agent': plant('agent'), 'x-forwarded-for': plant('forwarded'), cookie: plant('cookie') }
        expect(await ask(target, 'GET', '/v1/events', { headers })).toBe(200)
        expect(await ask(target, 'GET', `/${plant('path')}`)).toBe(404)
        expect(await ask(target, 'GET', `/v1/sagas/${plant('sagaid')}`)).toBeGreaterThanOrEqual(400)
        const key = { name: plant('keyname'), tenant: 'acme', scopes: ['ingest'] }
        expect(await post('/v1/keys', JSON.stringify(key))).toBe(201)
        expect(await post('/v1/keys', JSON.stringify({ ...key, scopes: [plant('scope')] }))).toBeGreaterThanOrEqual(400)
      })

      it('sagas', async () => {
        const participants = { birds: { url: cage.url, headers: { authorization: plant('secret') } } }
        const call = (path: string) => ({
          participant: 'birds',
          path,
          headers: { 'x-note': '${input.note}' },
          body: '${input}',
        })
        const publish = (name: string, steps: readonly object[], more: object = {}): Promise<number> =>
          ask(target, 'PUT', `/v1/saga-definitions/${name}`, { body: JSON.stringify({ participants, steps, ...more }) })
        const start = (name: string, input: string): Promise<number> =>
          ask(target, 'POST', `/v1/sagas/${name}?wait=10`, {
            body: input,
            headers: { 'idempotency-key': plant('idempotency') },
          })
        const input = (): string => JSON.stringify({ note: plant('input'), [plant('member')]: plant('value') })

        const undoable = { id: 'first', call: call(`/${plant('pathoncall')}`), compensate: call('/200') }
        const emit = { id: 'tell', emit: { type: plant('emitted'), subject: '${input.note}', data: '${input}' } }
        expect(
          await publish('good', [undoable, emit], { trigger: { type: 'canary.go' }, description: plant('words') }),
        ).toBe(201)
        expect(await publish('undone', [undoable, { id: 'second', call: call('/422') }])).toBe(201)
        const lost = [undoable, { id: 'second', call: call('/299'), retry: { attempts: 2, initial: '10ms' } }]
        expect(await publish('lost', lost)).toBe(201)
        expect(await publish('unable', [{ id: 'first', call: { ...call('/200'), body: '${input.note * 2}' } }])).toBe(
          201,
        )
        const nowhere = { id: 'first', call: { ...call('/200'), headers: { 'x-note': '${input.list}' } } }
        expect(await publish('nowhere', [nowhere])).toBeGreaterThanOrEqual(200)
        expect(
          await publish('refused', [
            { id: plant('step'), call: { ...call('/'), body: `\${${plant('expression')}(}` } },
          ]),
        ).toBe(422)
        expect(await ask(target, 'PUT', '/v1/saga-definitions/bad', { body: `{"${plant('malformed')}` })).toBe(400)
        const badEmit = { id: 'tell', emit: { type: '${input.empty}', subject: '${input.note}', data: '${input}' } }
        expect(await publish('silent', [badEmit])).toBe(201)

        const loud = { id: 'tell', emit: { type: '${input.note}', data: '${input}' } }
        expect(await publish('loud', [loud])).toBe(201)
        const broken = { type: 'canary.go', input: '${event.data.note * 2}' }
        expect(await publish('broken', [undoable], { trigger: broken })).toBe(201)
        // Longer than the type of an event may be: ingest refuses it.
        expect(await start('loud', JSON.stringify({ note: plant('long').repeat(100) }))).toBe(200)
        for (const name of ['good', 'undone', 'lost', 'unable', 'nowhere', 'silent']) {
          expect([200, 202]).toContain(await start(name, input()))
        }
        expect(await start('good', `{"note":"${plant('malformed')}`)).toBe(400)
        // Postgres keeps no text with a NUL.
        expect(await start('good', JSON.stringify({ note: `\0${plant('nul')}` }))).toBeGreaterThanOrEqual(200)
        expect(await start(plant('nosaga'), input())).toBe(404)
        expect(await post('/v1/events', event(canaries, { type: 'canary.go', data: { note: plant('trigger') } }))).toBe(
          202,
        )
        expect(await post('/v1/events', event(canaries, { type: 'canary.go', data: plant('notanobject') }))).toBe(202)
        for (const said of ['an event that a saga emitted is refused', 'an event started a saga that cannot go on']) {
          await until(async () => place.outputs().some((text) => text.includes(said)))
        }
        const list = await fetch(`${place.urlFor('GET', '/v1/sagas')}/v1/sagas?status=needs_attention`, {
          headers: { authorization: `Bearer ${target.key}` },
        })
        const { sagas } = (await list.json()) as { sagas: { id: string }[] }
        for (const { id } of sagas) {
          const note = JSON.stringify({ note: plant('note') })
          expect(await post(`/v1/sagas/${id}/cancel`, note)).toBeGreaterThanOrEqual(200)
          expect(await post(`/v1/sagas/${id}/retry`, JSON.stringify({ step: plant('step') }))).toBeGreaterThanOrEqual(
            200,
          )
        }
      })

      it('an engine that quotes what it cannot do', async () => {
        const { engine } = place
        if (!engine) return
        const type = plant('quoted')
        const quoting = `throwIf(type = '${type}', 'it is ${plant('quote')}') = 0`
        await engine.run(`ALTER TABLE events ADD CONSTRAINT quoting CHECK ${quoting}`)
        expect(await post('/v1/events', event(canaries, { type }))).toBe(202)
        await until(async () => (await health()).includes('is not being stored'))
        await engine.run('ALTER TABLE events DROP CONSTRAINT quoting')
        await until(async () => !(await health()).includes('is not being stored'))
      })

      it('an engine that is away', async () => {
        const { engine, killEngine } = place
        await engine?.run('RENAME TABLE events TO gone')
        killEngine?.()
        try {
          expect(await post('/v1/events', event(canaries))).toBe(202)
          expect(await ask(target, 'GET', `/v1/events?subject=${plant('subject')}`)).toBeGreaterThanOrEqual(500)
          await until(async () => (await health()).includes('is not being stored'))
        } finally {
          await engine?.run('RENAME TABLE gone TO events')
        }
        await until(async () => !(await health()).includes('is not being stored'))
      })

      /** Of all processes. */
      const told = async (path: string): Promise<string> => {
        const texts = place.urls.map(async (url) => await (await fetch(url + path)).text())
        return (await Promise.all(texts)).join('\n')
      }
      const health = (): Promise<string> => told('/health')

      it('leave no trace', async () => {
        const texts = [await health(), await told('/metrics')]
        await until(async () => receiver.spans.some(({ name }) => name === 'turn undone'))
        await place.stop()
        // What was to be provoked was, and nothing of it was cut off.
        for (const text of place.outputs()) expect(text.length).toBeLessThan(250_000)
        const logs = place.outputs().join('\n')
        const refused = place.engine ? ['an event cannot be stored', 'a request failed'] : ['a request was not served']
        for (const said of ['storing a log partition failed', ...refused]) expect(logs).toContain(said)
        const requests = receiver.spans.filter(({ kind }) => kind === 'server')
        expect(requests.length).toBeGreaterThan(30)
        expect(receiver.points.length).toBeGreaterThan(100)
        expect(receiver.problems).toEqual([])
        const leaks = (what: string, bytes: Buffer): string[] =>
          canaries.found(bytes).map((canary) => `${what}: ${canary}`)
        const found = [
          ...logs.split('\n').flatMap((line) => leaks(line.slice(0, 500), Buffer.from(line))),
          ...texts.flatMap((text) => leaks('health or metrics', Buffer.from(text))),
          ...receiver.bodies.flatMap((body) => leaks('OTLP', body)),
        ]
        expect(found).toEqual([])
        expect(canaries.planted.length).toBeGreaterThan(150)
      })
    }),
  )

it('canaries are found, in plain and in base64', () => {
  const canaries = new Canaries()
  const canary = canaries.plant('planted')
  for (const text of [`"${canary.toUpperCase()}"`, Buffer.from(`{"x":"${canary}"}`).toString('base64')]) {
    expect(canaries.found(Buffer.from(text))).toContain(canary)
  }
})
