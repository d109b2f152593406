import fc from 'fast-check'
import { expect, it } from 'vitest'
import { piecesOf } from './pieces.ts'

it('keeps the order and the limit, and makes no more pieces than that takes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(150)), (sizes) => {
      const list = sizes.map((bytes, i) => ({ bytes, i }))
      const pieces = piecesOf(list, 100)
      expect(pieces.flat()).toEqual(list)
      const size = (piece: typeof list) => piece.reduce((sum, { bytes }) => sum + bytes, 0)
      for (const [i, piece] of pieces.entries()) {
        expect(piece.length === 1 || size(piece) <= 100).toBe(true)
        const next = pieces[i + 1]
        if (next) expect(size(piece) + next[0]!.bytes).toBeGreaterThan(100)
      }
    }),
  )
})
