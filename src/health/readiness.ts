import type { Health } from '@splitstream/kernel'
import { rank } from './dependency-state.ts'

/** Something that tells how a part of the process is. */
export interface Source {
  /** The name under which it is shown; of several sources the worst. */
  readonly part: string
  /** @param now monotonic, ms */
  read(now: number): Health
  /**
   * Parts that it cannot work without. While one of them is not well, or was not a moment ago, this one waits for it. Absent: it is
   * degraded by what others have to mend, always.
   */
  readonly needs?: readonly string[] | undefined
}

/** What is degraded for so long, and waits for nobody, does not go on by itself any more, ms. */
const wedgedMs = 7_000
/** What is away for so long is an outage, ms; and the time to go on in after it: reconnecting, claiming, checking. */
const [outageMs, recoveryMs] = [5_000, 30_000]
/** A part that was wedged is shown as such for so long at least, ms. */
const holdMs = 5_000

/** What a source has said up to now. */
interface Track {
  /** Since when it is not ok. */
  badSince: number | undefined
  wedged: { readonly since: number; health: Health } | undefined
}

interface Said {
  readonly source: Source
  readonly track: Track
  readonly health: Health
}

/*
 * The rule of readiness (docs/health.md).
 *
 * A process is not ready while a part of it is `down`. A part is down when it says so by itself, or when it is wedged: it has been
 * degraded for 7 s though all that it needs is well, and has been for long enough to go on (30 s after an outage). So an outage of
 * something else never takes a process out of service, which would only make it worse; what does is work that stands still with
 * nothing to wait for.
 *
 *   ok → degraded → (for 7 s, with all needs well) wedged → ok, after 5 s at least
 */
export class Readiness {
  readonly #sources: (() => readonly (readonly [Source, Track])[])[] = []
  readonly #parts = new Map<string, { badSince: number | undefined; wellFrom: number }>()

  add(source: Source): void {
    const pair = [source, newTrack()] as const
    this.#sources.push(() => [pair])
  }

  /** @param read many parts at once, which may be others each time */
  addAll(
    read: () => Readonly<{ [part: string]: Health }>,
    needs: (part: string) => readonly string[] | undefined,
  ): void {
    const tracks = new Map<string, Track>()
    this.#sources.push(() => {
      const all = read()
      for (const part of tracks.keys()) if (!(part in all)) tracks.delete(part)
      return Object.entries(all).map(([part, health]) => {
        const track = tracks.get(part) ?? newTrack()
        tracks.set(part, track)
        return [{ part, read: () => health, needs: needs(part) }, track] as const
      })
    })
  }

  /** All parts. To be asked every second or so: what happens in between is not seen. */
  parts(now: number): { [part: string]: Health } {
    const said = this.#sources
      .flatMap((all) => all())
      .map(([source, track]): Said => ({ source, track, health: source.read(now) }))
    this.#note(said, now)
    const parts: { [part: string]: Health } = {}
    for (const one of said) {
      const { part } = one.source
      const found = this.#judge(one, now)
      parts[part] = parts[part] ? together(parts[part], found) : found
    }
    return parts
  }

  #note(said: readonly Said[], now: number): void {
    const worst = new Map<string, number>()
    for (const { source, health } of said) {
      worst.set(source.part, Math.max(rank[health.state], worst.get(source.part) ?? 0))
    }
    for (const [part, state] of worst) {
      const known = this.#parts.get(part) ?? { badSince: undefined, wellFrom: now }
      this.#parts.set(part, known)
      if (state > 0) known.badSince ??= now
      else if (known.badSince !== undefined) {
        known.wellFrom = now + (now - known.badSince >= outageMs ? recoveryMs : wedgedMs)
        known.badSince = undefined
      }
    }
  }

  #judge({ source, track, health }: Said, now: number): Health {
    if (health.state === 'ok') {
      track.badSince = undefined
      if (track.wedged && now - track.wedged.since >= holdMs) track.wedged = undefined
    } else {
      track.badSince ??= now
      const down: Health = { ...health, state: 'down' }
      if (track.wedged) track.wedged.health = down
      else if (now - track.badSince >= wedgedMs && this.#waitsForNobody(source, now)) {
        track.wedged = { since: now, health: down }
      }
    }
    return track.wedged?.health ?? health
  }

  #waitsForNobody({ needs }: Source, now: number): boolean {
    return needs?.every((part) => this.#isWell(part, now)) ?? false
  }

  /** It is, and who needs it has had the time to go on. One that this process does not have is well. */
  #isWell(part: string, now: number): boolean {
    const known = this.#parts.get(part)
    return !known || (known.badSince === undefined && now >= known.wellFrom)
  }
}

const newTrack = (): Track => ({ badSince: undefined, wedged: undefined })

/** The worse state, and all reasons. */
function together(a: Health, b: Health): Health {
  const state = rank[b.state] > rank[a.state] ? b.state : a.state
  const reasons = [...new Set([a, b].flatMap(({ reason }) => reason ?? []))]
  return reasons.length === 0 ? { state } : { state, reason: reasons.join('; ') }
}
