/** A bug for the bench's checker to find. */
export type Planted = 'charges twice' | 'forgets the refund'

/* What the bench asks the process of a peer; each answers with its URL. */
export interface Question {
  readonly participant: string
  /** The database of an engine that needs one. */
  readonly postgres?: string
  readonly planted?: Planted
}
