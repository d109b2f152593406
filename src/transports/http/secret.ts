import { createHash, timingSafeEqual } from 'node:crypto'
import { AppError } from '@splitstream/kernel'

/** The secret as the caller's Authorization header. */
export const authorizationOf = (secret: string): string => `Bearer ${encodeURIComponent(secret)}`

/**
 * Compares an Authorization header with the secret, in a time that says nothing of either.
 * @throws AppError CONFIG_INVALID when the secret is too short to be one
 */
export function secretCheck(secret: string): (authorization: string | undefined) => boolean {
  if (secret.length < 16)
    throw new AppError('CONFIG_INVALID', 'The secret of internal calls has less than 16 characters')
  // Hashes have one length, which timingSafeEqual needs, and which does not tell that of the secret.
  const expected = digest(authorizationOf(secret))
  return (authorization) => timingSafeEqual(digest(authorization ?? ''), expected)
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
