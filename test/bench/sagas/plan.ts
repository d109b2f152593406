/** How much work a run does, s. */
export interface Plan {
  readonly quick: boolean
  /** Each engine is measured this often, fresh, in turn with the others; the figures are medians. */
  readonly passes: number
  /** At 64 at once: until V8 has compiled what is hot; in a cold Node process the rate still rises by a third after 3 s. */
  readonly warmUpSeconds: number
  readonly sequentialSeconds: number
  readonly sixteenSeconds: number
  readonly sixtyFourSeconds: number
  /** With statements counted, in the first pass only. */
  readonly countSeconds: number
}

export const planOf = (quick: boolean): Plan =>
  quick
    ? {
        quick,
        passes: 1,
        warmUpSeconds: 2,
        sequentialSeconds: 1.5,
        sixteenSeconds: 1.5,
        sixtyFourSeconds: 2,
        countSeconds: 1,
      }
    : {
        quick,
        passes: 3,
        warmUpSeconds: 15,
        sequentialSeconds: 4,
        sixteenSeconds: 2.5,
        sixtyFourSeconds: 6,
        countSeconds: 2,
      }
