import { AppError } from '@splitstream/kernel'

/** A query parameter that is a whole number. @throws AppError REQUEST_INVALID */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new AppError('REQUEST_INVALID', `${name} is a whole number from ${min} to ${max}`)
}

/** The size of a page. @throws AppError REQUEST_INVALID */
export function limitOf(text: string | undefined, otherwise = 100): number {
  return text === undefined ? otherwise : wholeNumber('limit', text, 1, 1_000)
}
