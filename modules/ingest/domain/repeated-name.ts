import { stringAt } from './plain-text.ts'

/** The first name that an object has twice, in JSON that is known to be well-formed; escapes are decoded. */
export function repeatedName(bytes: Uint8Array, start: number, end: number): string | undefined {
  /** For each open container its names so far; an array has none. */
  const open: Set<string>[] = []
  for (let p = start; p < end; p++) {
    const c = bytes[p]!
    if (c === 0x7b || c === 0x5b) open.push(new Set())
    else if (c === 0x7d || c === 0x5d) open.pop()
    else if (c === 0x22) {
      const from = p
      p = lastOfString(bytes, p)
      if (!isName(bytes, p + 1)) continue
      const name = stringAt(bytes, from, p + 1)
      const names = open.at(-1)!
      if (names.has(name)) return name
      names.add(name)
    }
  }
  return undefined
}

function lastOfString(bytes: Uint8Array, quote: number): number {
  for (let p = quote + 1; ; p++) {
    if (bytes[p] === 0x5c) p++
    else if (bytes[p] === 0x22) return p
  }
}

/** A string is a name when a colon follows. */
function isName(bytes: Uint8Array, p: number): boolean {
  while (bytes[p]! <= 0x20) p++
  return bytes[p] === 0x3a
}
