/** What one transaction takes. */
export interface SliceLimits {
  readonly count: number
  /** Characters. */
  readonly size: number
}

/** The items in their order, in slices that keep to the limits; one that is larger than that is a slice by itself. */
export function slicesOf<T>(items: readonly T[], sizeOf: (item: T) => number, limits: SliceLimits): T[][] {
  const slices: T[][] = []
  let left = 0
  for (const item of items) {
    const size = sizeOf(item)
    const slice = slices.at(-1)
    if (!slice || slice.length >= limits.count || size > left) {
      slices.push([item])
      left = limits.size - size
    } else {
      slice.push(item)
      left -= size
    }
  }
  return slices
}
