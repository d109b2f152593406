const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** 1.5 GiB */
export function bytes(n: number): string {
  const power = n < 1 ? 0 : Math.min(sizes.length - 1, Math.floor(Math.log2(n) / 10))
  return `${rounded(n / 2 ** (10 * power))} ${sizes[power]}`
}

/** 0.042 ms, 3.1 ms, 1,250 ms */
export const ms = (n: number): string => `${rounded(n)} ms`

/** Three digits that count. */
function rounded(n: number): string {
  return n >= 100 ? Math.round(n).toLocaleString('en-US') : String(Number(n.toPrecision(n >= 10 ? 3 : 2)))
}
