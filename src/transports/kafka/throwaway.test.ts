import { AppError } from '@splitstream/kernel'
import { expect, it, vi } from 'vitest'
import { Throwaway } from './throwaway.ts'

/** A client whose connecting is over when the test says so. */
function client() {
  const connecting = Promise.withResolvers<void>()
  const disconnect = vi.fn(async () => undefined)
  return { connecting, disconnect, connect: () => connecting.promise }
}

it('closes one that has connections and does not come to be connected', async () => {
  const [hung, next] = [client(), client()]
  const clients = [hung, next]
  const throwaway = new Throwaway(() => clients.shift()!)
  const used = throwaway.use(20, 'it did not answer', async () => 'used')
  await expect(used).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  // Closed before, it would open more.
  expect(hung.disconnect).not.toHaveBeenCalled()
  hung.connecting.reject(new AppError('UNAVAILABLE', 'no id for this producer'))
  await vi.waitFor(() => expect(hung.disconnect).toHaveBeenCalledOnce())
  next.connecting.resolve()
  expect(await throwaway.use(1_000, 'it did not answer', async () => 'used')).toBe('used')
  expect(next.disconnect).not.toHaveBeenCalled()
  await throwaway.close()
  expect(next.disconnect).toHaveBeenCalledOnce()
})
