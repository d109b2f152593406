/** Cuts a list, in its order, into pieces of `maxBytes` at most; what is larger is a piece of its own. */
export function piecesOf<T extends { readonly bytes: number }>(list: readonly T[], maxBytes: number): T[][] {
  const pieces: T[][] = []
  let room = 0
  for (const one of list) {
    if (pieces.length === 0 || one.bytes > room) {
      pieces.push([])
      room = maxBytes
    }
    pieces.at(-1)!.push(one)
    room -= one.bytes
  }
  return pieces
}
