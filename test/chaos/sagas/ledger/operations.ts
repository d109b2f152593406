/** What the participants do. Names of undos stand beside what they undo. */
export const undos = {
  charge: 'refund',
  reserve: 'release',
  label: 'unlabel',
} as const

export type Undoable = keyof typeof undos
export type Operation = Undoable | (typeof undos)[Undoable] | 'clear' | 'ship' | 'capture'

export const operations = [
  'charge',
  'refund',
  'reserve',
  'release',
  'label',
  'unlabel',
  'clear',
  'ship',
  'capture',
] as const

/** What an undo undoes. */
export const undoneBy: ReadonlyMap<Operation, Undoable> = new Map(
  Object.entries(undos).map(([done, undo]) => [undo, done as Undoable]),
)

export const forward = operations.filter((operation) => !undoneBy.has(operation))
export const backward = operations.filter((operation) => undoneBy.has(operation))

export interface Order {
  readonly order: string
  readonly account: string
  readonly amount: number
  readonly item: string
  readonly courier: string
  /** Fencing number of the lock on the item, of sagas that take it. */
  readonly lock?: string
}

/** Refused for good: there is no courier of this name to label for, and that one takes nothing at the moment. */
export const refusals: { readonly [O in Operation]?: string } = { label: 'none', clear: 'closed' }
export const accounts = Array.from({ length: 8 }, (_, i) => `customer-${i}`)
export const items = Array.from({ length: 4 }, (_, i) => `item-${i}`)
