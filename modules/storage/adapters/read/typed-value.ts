/**
 * A value in SQL whose type is known only when a row is read: one expression for each type that it can have, each NULL in
 * rows where the value is of another type or missing. Fields and measures are both described like this, so that filters,
 * having, groups and order are compiled in one way.
 */
export interface TypedValue {
  /** Float64. Ingest refuses integers that a double cannot hold, so this is exact. */
  readonly num?: string | undefined
  readonly str?: string | undefined
  readonly bool?: string | undefined
  /** DateTime64(6). */
  readonly time?: string | undefined
  /** A condition, never NULL: there is a value of any type. */
  readonly exists: string
  /** num in two parts, for exact sums: Int64 and Float64. */
  readonly split?: { readonly int: string; readonly float: string } | undefined
  /** Arrays by the type of their elements, for `contains`. */
  readonly arrays?: {
    readonly int: string
    readonly float: string
    readonly str: string
    readonly bool: string
    readonly mixed: string
  }
}
