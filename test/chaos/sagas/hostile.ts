import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from '../findings.ts'
import { inFolder, judge } from '../trial.ts'
import { type Hostility, hostilities } from './hostilities.ts'
import { Installation } from './installation.ts'
import { runSagas } from './run.ts'
import type { SagaRow } from './saga-rows.ts'

/** Those whose sagas wait for no others: one that is left to people keeps its locks. */
const names = ['order', 'parcel', 'family', 'chosen']
/** For how long a process may take an earlier version for the newest, ms. */
const newestMs = 1_200

/**
 * Participants that break every habit but their declared contract: nothing takes effect twice, and a saga of which nobody can
 * know by itself is left to people, with the reason. Returns the number of participants at which a promise was broken.
 */
export async function runHostile({ from, keep }: { readonly from: number; readonly keep: boolean }): Promise<number> {
  let failed = 0
  await inFolder({ name: 'hostile', keep }, async (home) => {
    await using installation = await Installation.start({ workers: 2, home })
    for (const [i, [participant, hostility]] of Object.entries(hostilities).entries()) {
      const run = (findings: Findings) => runOne(hostility, from + i, installation, findings)
      if (!(await judge({ participant }, run))) failed++
    }
    return failed === 0
  })
  return failed
}

async function runOne(hostility: Hostility, seed: number, installation: Installation, findings: Findings) {
  const { character, rules, declares, leaves } = hostility
  for (const name of names) await installation.publish(name, await declaring(name, declares))
  await delay(newestMs)
  const prefix = `hostile-${seed}-`
  const { ended, looks } = await runSagas(
    installation,
    {
      ...{ prefix, seed, character, rules, orders: 60, endsWithinMs: 60_000 },
      only: ({ kind }) => kind !== 'locked',
      allowed: { anyEnd: true, mayNeedAttention: ({ problem }: SagaRow) => leaves?.test(problem ?? '') === true },
    },
    findings,
    ({ started }) => started,
  )
  const { arrivals, faults, lookups } = await installation.ledger.audit(prefix)
  // A run in which nothing happened proves nothing.
  if (faults === 0) findings.add('nothing went wrong', 'no fault took place')
  if ('lookup' in declares && lookups === 0) findings.add('nothing was asked', 'no lookup came')
  if (leaves && !ended.needs_attention) findings.add('nothing was left to people', JSON.stringify(ended))
  return { ended, looks, calls: arrivals.length, faults, lookups }
}

/** The definition, with what its participants declare. */
async function declaring(name: string, declares: Readonly<Record<string, unknown>>): Promise<string> {
  const text = await readFile(new URL(`./definitions/${name}.json`, import.meta.url), 'utf8')
  const definition = JSON.parse(text) as { participants: Record<string, object> }
  for (const participant of Object.values(definition.participants)) Object.assign(participant, declares)
  // An expression of definitions, not of this program.
  return JSON.stringify(definition).replaceAll('/KEY', ['/$', '{key}'].join(''))
}
