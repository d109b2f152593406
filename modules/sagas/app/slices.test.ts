import { expect, it } from 'vitest'
import { slicesOf } from './slices.ts'

const slice = (sizes: readonly number[], count = 3, size = 10) => slicesOf(sizes, (n) => n, { count, size })

it('slices keep to the count and to the size', () => {
  expect(slice([])).toEqual([])
  expect(slice([1, 1, 1, 1])).toEqual([[1, 1, 1], [1]])
  expect(slice([4, 6, 1, 9, 1])).toEqual([[4, 6], [1, 9], [1]])
})

it('what is larger is alone', () => {
  expect(slice([1, 11, 1])).toEqual([[1], [11], [1]])
  expect(slice([11, 12])).toEqual([[11], [12]])
})
