import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What this process keeps in memory: garbage does not count. */
function kept(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** By how many bytes the memory that this process keeps grew while `work` ran, at most; looked at about every 250 ms. */
export async function retainedBytes(work: () => Promise<unknown>): Promise<number> {
  const before = kept()
  let most = before
  const look = (): void => {
    most = Math.max(most, kept())
  }
  const timer = setInterval(look, 250)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  look()
  return most - before
}
