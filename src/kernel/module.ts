import type { Route } from './http.ts'

/** How well a part of the process is: `down` turns readiness red, `degraded` is shown. `reason` names the cause. */
export interface Health {
  readonly state: 'ok' | 'degraded' | 'down'
  readonly reason?: string
}

/**
 * A module as the composition root sees it. Made by its `module.ts` from the ports that it requires; started after what
 * it requires, stopped in reverse.
 */
export interface Module<Ports extends object = object> {
  readonly ports: Ports
  readonly routes: readonly Route[]
  start(): Promise<void>
  stop(): Promise<void>
  health(): Health
}
