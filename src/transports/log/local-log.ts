import { mkdir, statfs } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import {
  AppError,
  type Call,
  type Clock,
  type Consumption,
  type EventLog,
  type Health,
  type Lane,
  type Logger,
  type LogRange,
  messageOf,
} from '@splitstream/kernel'
import { checkAppend } from '../check-append.ts'
import { runLane } from '../run-lane.ts'
import { Committer } from './committer.ts'
import type { FromWorker, GroupOffset } from './messages.ts'
import { LogFileReader } from './reader.ts'
import { isSkipped, skippedBetween } from './skips.ts'

export interface LocalLogOptions {
  readonly dir: string
  readonly partitions: number
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Groups that records are kept for until they have taken them; when not given, all that ever consumed this log. One that is
   * left out finds at its return what is still there.
   */
  readonly groups?: readonly string[] | undefined
  /** Consumed records are kept up to this many bytes and this long, whichever ends first. */
  readonly retainBytes?: number
  readonly retainMs?: number
  readonly maxPendingBytes?: number
  /** Appends are refused below this much free space: the engines on the same disk need room to go on. */
  readonly minFreeBytes?: number
}

export interface LogStats {
  readonly pendingBytes: number
  readonly partitions: readonly { start: number; end: number; bytes: number }[]
  /** Events appended and not yet committed by the group. */
  readonly lag: Readonly<Record<string, number>>
}

export interface LogHold {
  /** Of each partition, the oldest place that is kept for somebody. */
  readonly from: readonly number[]
  /** How far each group was when the hold began. */
  readonly offsets: readonly GroupOffset[]
  readonly signal: AbortSignal
  release(): void
}

export interface LocalLog extends EventLog {
  stats(): LogStats
  /** The next offset that a group reads; 0 when it is new. */
  committed(group: string, partition: number): number
  /** As a lane of the group would: it is done with everything before `next`. */
  commit(group: string, partition: number, next: number): void
  health(): Health
  /**
   * Resolves with the reason when the file could not be opened again after a failure: nothing is taken any more. Whoever owns the
   * process ends it, so that its supervisor starts it again.
   */
  readonly lost: Promise<string>
  /**
   * From now on nothing is given up that some group needs now, however far it gets: for a copy that is to begin there. One at a
   * time. Ends with `release`, or when the disk gets too full for it: then the signal is aborted.
   */
  hold(): LogHold
  /** Makes what was appended durable, ends the lanes and closes the file. */
  stop(): Promise<void>
}

const upkeepMs = 500

/** Opens the local log, making it when there is none. @throws AppError CONFIG_INVALID with what to change. */
export async function openLocalLog(o: LocalLogOptions): Promise<LocalLog> {
  await mkdir(o.dir, { recursive: true, mode: 0o700 })
  const { worker, opened } = await startWorker(o)
  const { clock, logger, partitions } = o
  const maxPendingBytes = o.maxPendingBytes ?? 64 << 20
  const reader = new LogFileReader(o.dir, partitions)
  const offsets = new Map(opened.offsets.map((offset) => [`${offset.group}/${offset.partition}`, offset]))
  const wakers = Array.from({ length: partitions }, () => new Set<() => void>())
  const committer = new Committer(worker, opened.bounds, {
    clock,
    logger,
    maxPendingBytes,
    skips: opened.skips,
    onCommit: (touched) => {
      for (const partition of touched) for (const wake of wakers[partition]!) wake()
    },
  })
  const consumptions = new Map<string, Consumption>()
  let stopping = false
  let free = Number.POSITIVE_INFINITY
  let held: { from: readonly number[]; abort: AbortController } | undefined
  const tooFull = (): boolean => free < (o.minFreeBytes ?? 256 << 20)

  const setOffset = (offset: GroupOffset): void => {
    offsets.set(`${offset.group}/${offset.partition}`, offset)
    committer.setOffset(offset)
  }

  /** The oldest offset of a partition that some group still needs. Without any group nothing is given up. */
  const needed = (partition: number): number => {
    // One that has not joined yet needs all of it.
    if (o.groups) return Math.min(...o.groups.map((group) => offsets.get(`${group}/${partition}`)?.next ?? 0))
    return Math.min(
      ...[...offsets.values()].filter((offset) => offset.partition === partition).map((offset) => offset.next),
      offsets.size === 0 ? 0 : Number.POSITIVE_INFINITY,
    )
  }

  const upkeep = setInterval(() => {
    committer.flush()
    statfs(o.dir).then(
      (disk) => {
        free = disk.bavail * disk.bsize
      },
      (error: unknown) => logger.warn('the free disk space is not known', { error: messageOf(error) }),
    )
    if (tooFull()) {
      held?.abort.abort(new AppError('DISK_FULL', 'Too little disk space is left to hold the log'))
      // Not with its release: who holds it may hang.
      held = undefined
    }
    const floors = Array.from({ length: partitions }, (_, p) => Math.min(needed(p), held?.from[p] ?? needed(p)))
    const keep = (o.retainBytes ?? 2 ** 31) / partitions
    void committer.trim(floors, keep, clock.now() - (o.retainMs ?? 86_400_000))
  }, upkeepMs)

  /** Resolves when the partition grew beyond `offset`, after `ms`, or on abort. */
  const grown = (partition: number, offset: number, ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted || ms <= 0 || committer.bounds(partition).end > offset) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        wakers[partition]!.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      wakers[partition]!.add(done)
      signal.addEventListener('abort', done)
    })

  const committed = (group: string, partition: number): number => offsets.get(`${group}/${partition}`)?.next ?? 0

  const laneOf = (group: string, partition: number, signal: AbortSignal): Lane => ({
    partition,
    signal,
    bounds: async () => {
      const { start, end } = committer.bounds(partition)
      return { start, end }
    },
    committed: async () => committed(group, partition),
    read: async (from, limits) => {
      await grown(partition, from, limits.waitMs, signal)
      return committer.bounds(partition).end > from ? reader.read(partition, from, limits) : []
    },
    commit: async (next) => setOffset({ group, partition, next }),
  })

  return {
    partitions,
    end: (partition) => (partition < partitions ? committer.bounds(partition).end : undefined),
    isSkipped: (partition, next) => isSkipped(opened.skips, partition, next),
    append: async (entries, call: Call): Promise<LogRange[]> => {
      const bytes = checkAppend(entries, { partitions, maxPendingBytes }, call)
      if (tooFull()) {
        throw new AppError('DISK_FULL', 'Too little disk space is left', { retryAfterMs: 10_000 })
      }
      return committer.append(entries, bytes)
    },
    consume: async (group, handler) => {
      if (stopping) throw new AppError('STOPPING', 'The event log is stopping')
      if (consumptions.has(group)) {
        throw new AppError(
          'CONFLICT',
          `The group ${group} consumes this log already; here it has one consumer at a time`,
        )
      }
      const stop = new AbortController()
      const lanes = Array.from({ length: partitions }, (_, partition) => {
        // Known from now on, so that retention waits for this group.
        if (!offsets.has(`${group}/${partition}`)) setOffset({ group, partition, next: 0 })
        return runLane(laneOf(group, partition, stop.signal), handler, o)
      })
      const consumption: Consumption = {
        stop: async () => {
          stop.abort()
          await Promise.all(lanes)
          if (consumptions.get(group) === consumption) consumptions.delete(group)
        },
      }
      consumptions.set(group, consumption)
      return consumption
    },
    committed,
    commit: (group, partition, next) => setOffset({ group, partition, next }),
    stats: () => {
      const all = Array.from({ length: partitions }, (_, p) => committer.bounds(p))
      const lag: Record<string, number> = {}
      for (const { group, partition, next } of offsets.values()) {
        const { end } = all[partition]!
        const places = Math.max(0, end - next)
        lag[group] = (lag[group] ?? 0) + places - skippedBetween(opened.skips, partition, next, end)
      }
      return { pendingBytes: committer.pendingBytes, partitions: all, lag }
    },
    health: () => {
      if (committer.failure !== undefined)
        return { state: 'down', reason: `the event log failed: ${committer.failure}` }
      if (tooFull()) return { state: 'degraded', reason: 'too little disk space is left' }
      return { state: 'ok' }
    },
    lost: committer.lost,
    hold: () => {
      if (held) throw new AppError('CONFLICT', 'The log is held already')
      const mine = {
        from: Array.from({ length: partitions }, (_, p) => Math.min(needed(p), committer.bounds(p).end)),
        abort: new AbortController(),
      }
      held = mine
      const release = (): void => {
        if (held === mine) held = undefined
      }
      return { from: mine.from, offsets: [...offsets.values()], signal: mine.abort.signal, release }
    },
    stop: async () => {
      stopping = true
      clearInterval(upkeep)
      await Promise.all([...consumptions.values()].map((consumption) => consumption.stop()))
      await committer.close()
      reader.close()
    },
  }
}

async function startWorker({ dir, partitions }: LocalLogOptions) {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { dir, partitions },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const first = await new Promise<FromWorker>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  if (first.kind !== 'opened') {
    await worker.terminate()
    throw new AppError('CONFIG_INVALID', first.kind === 'refused' ? first.message : 'the log did not open')
  }
  return { worker, opened: first }
}
