import { loadavg } from 'node:os'
import { haproxy } from '../../deploy/tools.ts'
import { type DependencyFigures, measureDependency } from './dependency.ts'
import { measureGateway } from './gateway.ts'
import { type GrayFigures, measureGray } from './gray.ts'
import { product, productWithout } from './product.ts'

/** Of the product, and of copies of it that lack what is measured. */
export interface FaultFigures {
  readonly rate: number
  /** Part of the answers of the ill instance that are late. */
  readonly share: number
  /** Of the machine before the run, mean of a minute: what else ran on it. */
  readonly loadBefore: number
  readonly dependency: readonly DependencyFigures[]
  /** Of three instances of a link. */
  readonly gray: readonly GrayFigures[]
  /** Of three query processes behind the gateway. */
  readonly gateway: readonly GrayFigures[]
}

const [rate, share] = [100, 0.05]

export async function measureFaults(quick: boolean): Promise<FaultFigures> {
  const part = quick ? 2 : 1
  // What it needs is looked for first, and not after minutes.
  await haproxy()
  const [loadBefore = Number.NaN] = loadavg()
  // The end of the fault meets a breaker that has just opened again: the longest way back.
  const outage = { rate, beforeMs: 10_000 / part, faultMs: quick ? 11_000 : 20_000, afterMs: 12_000 }
  const drift = { rate, beforeMs: 30_000 / part, afterMs: 30_000 / part, share }
  const [withoutBreaker, withoutEjection] = [await productWithout('breaker'), await productWithout('ejection')]
  return {
    rate,
    share,
    loadBefore,
    dependency: [await measureDependency(product, outage), await measureDependency(withoutBreaker, outage)],
    gray: [await measureGray(product, drift), await measureGray(withoutEjection, drift)],
    gateway: [await measureGateway(true, drift), await measureGateway(false, drift)],
  }
}
