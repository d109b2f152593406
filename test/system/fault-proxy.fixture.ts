import { startHttpProxy } from './http-proxy.fixture.ts'

/**
 * What becomes of a request: `hang` holds it until the fault is over, and then lets it go on; `refuse` cuts its connection;
 * parameters are added to the engine's settings.
 */
export type Fault = 'hang' | 'refuse' | { readonly parameters: Readonly<Record<string, string>> }

/** A proxy before the HTTP interface of ClickHouse that faults requests for as long as it is told to. */
export interface FaultProxy {
  readonly origin: string
  /** Requests that were faulted since the last `set`. */
  readonly hits: number
  /** Until the next `set`. @param only statements that begin so; all requests, pings too, when not given */
  set(fault: Fault | undefined, only?: string): void
  stop(): Promise<void>
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  let fault: Fault | undefined
  let only: string | undefined
  let hits = 0
  let over = Promise.withResolvers<void>()

  const proxy = await startHttpProxy(target, async ({ url, body }) => {
    const statement = `${url.searchParams.get('query') ?? ''}${body.toString('latin1', 0, 200)}`.trimStart()
    if (fault === undefined || (only !== undefined && !statement.startsWith(only))) return 'whole'
    hits++
    if (fault === 'refuse') return 'cut'
    if (fault === 'hang') await over.promise
    else for (const [name, value] of Object.entries(fault.parameters)) url.searchParams.set(name, value)
    return 'whole'
  })
  return {
    origin: proxy.origin,
    get hits() {
      return hits
    },
    set: (next, statements) => {
      fault = next
      only = statements
      hits = 0
      over.resolve()
      over = Promise.withResolvers()
    },
    stop: async () => {
      over.resolve()
      await proxy.stop()
    },
  }
}
