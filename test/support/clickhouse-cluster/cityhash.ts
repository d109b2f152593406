/** CityHash128 of version 1.0.2, as ClickHouse sums the files of parts up: blocks of 2048 bytes, each seeded with the sum so far. */
type Pair = readonly [bigint, bigint]

const mask = (1n << 64n) - 1n
const [k0, k1, k2, k3] = [0xc3a5c85c97cb3127n, 0xb492b66fbe98f273n, 0x9ae16a3b2f90404fn, 0xc949d7c7509e6557n] as const
const mul = 0x9ddfea08eb382d69n
const blockSize = 2048

const u = (x: bigint): bigint => x & mask
const rotate = (x: bigint, n: bigint): bigint => u((x >> n) | (x << (64n - n)))
const shiftMix = (x: bigint): bigint => x ^ (x >> 47n)

/** Of a whole file: 16 bytes, little endian. */
export function hashOfFile(bytes: Buffer): Buffer {
  let state: Pair = [0n, 0n]
  for (let at = 0; at < bytes.length; at += blockSize) state = hash128(bytes.subarray(at, at + blockSize), state)
  const out = Buffer.alloc(16)
  out.writeBigUInt64LE(state[0], 0)
  out.writeBigUInt64LE(state[1], 8)
  return out
}

function hashLen16(a: bigint, b: bigint): bigint {
  let x = u((a ^ b) * mul)
  x ^= x >> 47n
  let y = u((b ^ x) * mul)
  y ^= y >> 47n
  return u(y * mul)
}

function hashLen0to16(s: Buffer): bigint {
  const n = s.length
  if (n > 8) {
    const [a, b] = [s.readBigUInt64LE(0), s.readBigUInt64LE(n - 8)]
    return hashLen16(a, rotate(u(b + BigInt(n)), BigInt(n))) ^ b
  }
  if (n >= 4) return hashLen16(u(BigInt(n) + (BigInt(s.readUInt32LE(0)) << 3n)), BigInt(s.readUInt32LE(n - 4)))
  if (n > 0) {
    const y = BigInt(s[0]!) + (BigInt(s[n >> 1]!) << 8n)
    const z = BigInt(n) + (BigInt(s[n - 1]!) << 2n)
    return u(shiftMix(u(y * k2) ^ u(z * k3)) * k2)
  }
  return k2
}

function weak(s: Buffer, at: number, a: bigint, b: bigint): Pair {
  const [w, x, y, z] = [0, 8, 16, 24].map((i) => s.readBigUInt64LE(at + i)) as [bigint, bigint, bigint, bigint]
  let first = u(a + w)
  let second = rotate(u(b + first + z), 21n)
  const c = first
  first = u(first + x + y)
  second = u(second + rotate(first, 44n))
  return [u(first + z), u(second + c)]
}

function murmur(s: Buffer, seed: Pair): Pair {
  let [a, b] = seed
  let c: bigint
  let d: bigint
  const n = s.length
  if (n <= 16) {
    a = u(shiftMix(u(a * k1)) * k1)
    c = u(u(b * k1) + hashLen0to16(s))
    d = shiftMix(u(a + (n >= 8 ? s.readBigUInt64LE(0) : c)))
  } else {
    c = hashLen16(u(s.readBigUInt64LE(n - 8) + k1), a)
    d = hashLen16(u(b + BigInt(n)), u(c + s.readBigUInt64LE(n - 16)))
    a = u(a + d)
    for (let at = 0, left = n - 16; left > 0; at += 16, left -= 16) {
      a ^= u(shiftMix(u(s.readBigUInt64LE(at) * k1)) * k1)
      a = u(a * k1)
      b ^= a
      c ^= u(shiftMix(u(s.readBigUInt64LE(at + 8) * k1)) * k1)
      c = u(c * k1)
      d ^= c
    }
  }
  a = hashLen16(a, c)
  b = hashLen16(d, b)
  return [a ^ b, hashLen16(b, a)]
}

function hash128(s: Buffer, seed: Pair): Pair {
  if (s.length < 128) return murmur(s, seed)
  let length = s.length
  let at = 0
  let [x, y] = seed
  let z = u(BigInt(length) * k1)
  const f = (i: number): bigint => s.readBigUInt64LE(at + i)
  const v0 = u(rotate(y ^ k1, 49n) * k1 + f(0))
  let v: Pair = [v0, u(rotate(v0, 42n) * k1 + f(8))]
  let w: Pair = [u(rotate(u(y + z), 35n) * k1 + x), u(rotate(u(x + f(88)), 53n) * k1)]
  do {
    for (let twice = 0; twice < 2; twice++) {
      x = u(rotate(u(x + y + v[0] + f(16)), 37n) * k1)
      y = u(rotate(u(y + v[1] + f(48)), 42n) * k1)
      x ^= w[1]
      y ^= v[0]
      z = rotate(z ^ w[0], 33n)
      v = weak(s, at, u(v[1] * k1), u(x + w[0]))
      w = weak(s, at + 32, u(z + w[1]), y)
      ;[z, x] = [x, z]
      at += 64
    }
    length -= 128
  } while (length >= 128)
  y = u(y + rotate(w[0], 37n) * k0 + z)
  x = u(x + rotate(u(v[0] + z), 49n) * k0)
  for (let done = 0; done < length; ) {
    done += 32
    y = u(rotate(u(y - x), 42n) * k0 + v[1])
    w = [u(w[0] + f(length - done + 16)), w[1]]
    x = u(rotate(x, 49n) * k0 + w[0])
    w = [u(w[0] + v[0]), w[1]]
    v = weak(s, at + length - done, v[0], v[1])
  }
  x = hashLen16(x, v[0])
  y = hashLen16(y, w[0])
  return [u(hashLen16(u(x + v[1]), w[1]) + y), hashLen16(u(x + w[1]), u(y + v[1]))]
}
