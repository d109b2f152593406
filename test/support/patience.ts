/*
 * Runs before each test file. What a test awaits comes in milliseconds, and the second that vitest gives it is over when a busy
 * machine stands still: a wait that says nothing else of itself lasts for half a minute, as `expect.poll` (vitest.config.ts).
 */
import { vi } from 'vitest'

const { waitFor, waitUntil } = vi

function patiently<O extends { timeout?: number }>(options: number | O | undefined): number | O | { timeout: number } {
  return typeof options === 'number' ? options : { timeout: 30_000, ...options }
}

vi.waitFor = (callback, options) => waitFor(callback, patiently(options))
vi.waitUntil = (callback, options) => waitUntil(callback, patiently(options))
