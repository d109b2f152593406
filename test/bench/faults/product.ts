import { join } from 'node:path'
import { applyEdit, copyProduct } from '../../chaos/planted.ts'
import { temporaryFolder } from '../cleanup.ts'

/** The product, or a copy of it that lacks what is measured: what each row has to fail without. */
export interface Product {
  /** The main file. */
  readonly entry?: string
  readonly name: string
}

export const product: Product = { name: 'as it is' }

const lacks = {
  breaker: {
    file: 'src/resilience/guard.ts',
    find: "if (breaker.state() === 'half-open') await this.#probe(call)",
    replace: 'if (breaker) return await work(call)',
  },
  ejection: {
    file: 'src/discovery/ejection/ejection.ts',
    find: 'return Math.floor(this.#standings.size / 3)',
    replace: 'return 0',
  },
  metrics: {
    file: 'src/telemetry/telemetry.ts',
    find: 'const metrics = createMetrics()',
    replace: `const metrics = {
      ...(await import('@splitstream/kernel')).noMetrics,
      ...{ text: async () => '', measure: async () => [], add() {}, stop() {} },
    }`,
  },
} as const

/** A copy of the product with one line changed. */
export async function productWithout(what: keyof typeof lacks): Promise<Product> {
  const { path } = temporaryFolder()
  await copyProduct(path)
  await applyEdit(path, lacks[what])
  return { entry: join(path, 'src/main.ts'), name: `without ${what}` }
}
