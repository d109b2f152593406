import { describe, expect, it } from 'vitest'
import { sign, signingKey, wrongSignature } from './signature.ts'

/** The example of the specification. */
const key = signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const timestamp = '1614265330'
const body = Buffer.from('{"test": 2432232314}')
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
const nowMs = 1_614_265_330_000
const other = Buffer.alloc(32, 1)

describe('a signature', () => {
  it('is the one of Standard Webhooks', () => expect(sign(key, id, timestamp, body)).toBe(signature))

  it('is right by any key, and among others', () => {
    const headers = { id, timestamp, signature: `v1a,x ${sign(other, id, timestamp, body)} ${signature}` }
    for (const keys of [[key], [other], [Buffer.alloc(32), key]])
      expect(wrongSignature(keys, headers, body, nowMs)).toBeUndefined()
    expect(wrongSignature([Buffer.alloc(32)], headers, body, nowMs)).toContain('does not match')
  })

  it.each([-301_000, 301_000])('is wrong %i ms from our clock', (ms) =>
    expect(wrongSignature([key], { id, timestamp, signature }, body, nowMs + ms)).toContain('5 minutes'),
  )

  it('is of all that it is about', () => {
    const right = { id, timestamp, signature }
    expect(wrongSignature([key], { ...right, id: 'another' }, body, nowMs)).toContain('does not match')
    expect(wrongSignature([key], { ...right, timestamp: '1614265331' }, body, nowMs)).toContain('does not match')
    expect(wrongSignature([key], right, Buffer.from('{}'), nowMs)).toContain('does not match')
    expect(wrongSignature([key], { ...right, signature: undefined }, body, nowMs)).toContain('needed')
    expect(wrongSignature([key], { ...right, timestamp: '1e3' }, body, nowMs)).toContain('seconds')
  })

  it.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])('has no secret %j', (secret) =>
    expect(() => signingKey(secret)).toThrow(RangeError),
  )
})
