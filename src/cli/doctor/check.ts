import { messageOf } from '@splitstream/kernel'

/** `warn`: it works, and somebody will feel it or should know it. `fail`: it does not work, or promises do not hold. */
export type Verdict = 'ok' | 'warn' | 'fail'

export interface Finding {
  readonly verdict: Verdict
  /** What was found, with units. */
  readonly measured: string
  /** What to do; names the setting. Absent when there is nothing to do. */
  readonly advice?: string | undefined
}

export interface Check {
  readonly name: string
  /** Without effects that stay. Gives up what it has under way when the signal is aborted. @throws Error, which is a `fail` */
  run(signal: AbortSignal): Promise<Finding>
}

export interface Row extends Finding {
  readonly check: string
}

export const ok = (measured: string, advice?: string): Finding => ({ verdict: 'ok', measured, advice })
export const warn = (measured: string, advice: string): Finding => ({ verdict: 'warn', measured, advice })
export const fail = (measured: string, advice: string): Finding => ({ verdict: 'fail', measured, advice })

/** For each check, ms. */
export const checkMs = 5_000

/** All at once; each has its row, in the order given. Never throws, and takes no longer than the slowest may. */
export function runChecks(checks: readonly Check[], timeoutMs = checkMs): Promise<Row[]> {
  return Promise.all(checks.map((check) => runCheck(check, timeoutMs)))
}

async function runCheck({ name, run }: Check, timeoutMs: number): Promise<Row> {
  const late = AbortSignal.timeout(timeoutMs)
  const tooLate = Promise.withResolvers<Finding>()
  late.addEventListener('abort', () =>
    tooLate.resolve(fail(`no result within ${timeoutMs / 1000} s`, 'it hangs, or is much too slow: look there first')),
  )
  try {
    return { check: name, ...(await Promise.race([run(late), tooLate.promise])) }
  } catch (error) {
    return { check: name, verdict: 'fail', measured: messageOf(error) }
  }
}
