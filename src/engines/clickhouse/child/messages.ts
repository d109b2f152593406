/** What parent and child say to each other over the IPC channel. */
export interface StartMessage {
  readonly dataDir: string
  readonly runDir: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly sessions: number
  readonly maxMemoryBytes: number
}

/** A part that the engine found broken at start and put aside: its rows are missing from the table. */
export interface DetachedPart {
  readonly database: string
  readonly table: string
  /** Its partition's id; empty when the name tells none. */
  readonly partition: string
  readonly name: string
  readonly reason: string
}

export type FromParent =
  | { readonly kind: 'start'; readonly start: StartMessage }
  | { readonly kind: 'detached-parts'; readonly id: number }
  | { readonly kind: 'drop-detached'; readonly id: number; readonly part: DetachedPart }
  /** Hard links of all parts as they are now, below shadow/<name>. */
  | { readonly kind: 'freeze'; readonly id: number; readonly name: string }
  | { readonly kind: 'stop' }

export type FromChild =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'answer'; readonly id: number; readonly parts: readonly DetachedPart[]; readonly error?: string }
