import type { ClickHouseParam } from '@splitstream/kernel'

export type BoundType =
  | 'String'
  | 'Float64'
  | 'Int64'
  | 'UInt64'
  | 'UInt32'
  | 'Bool'
  | 'Array(String)'
  | 'Array(Float64)'
  | 'Array(Int64)'
  | 'Identifier'

/**
 * The parameters of one statement. The only way for anything from a request into SQL: the text gets a placeholder whose
 * name is a number of our own. The same value of the same type gets the same placeholder, so that equal expressions stay
 * equal (GROUP BY needs that).
 */
export class Bindings {
  readonly #names = new Map<string, string>()
  readonly #params: Record<string, ClickHouseParam> = {}

  bind(type: BoundType, value: ClickHouseParam): string {
    const key = `${type} ${JSON.stringify(value)}`
    let name = this.#names.get(key)
    if (name === undefined) {
      name = `p${this.#names.size}`
      this.#names.set(key, name)
      this.#params[name] = value
    }
    return `{${name}:${type}}`
  }

  get params(): Readonly<Record<string, ClickHouseParam>> {
    return this.#params
  }
}
