import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from '../findings.ts'
import { type Hostility, hostilities } from './hostilities.ts'
import type { Installation } from './installation.ts'
import type { Part } from './place.ts'
import { runSagas } from './run.ts'
import type { SagaRow } from './saga-rows.ts'

/** Those whose sagas wait for no others: one that is left to people keeps its locks. */
const names = ['order', 'parcel', 'family', 'chosen']
/** For how long a process may take an earlier version for the newest, ms. */
const newestMs = 1_200

/**
 * Participants that break every habit but their declared contract: nothing takes effect twice, and a saga of which nobody can
 * know by itself is left to people, with the reason.
 */
export const hostileParts: Readonly<Record<string, Part>> = Object.fromEntries(
  Object.entries(hostilities).map(([name, hostility]) => [
    name,
    ({ installation }, seed, findings) => runOne(hostility, `hostile-${name}-`, seed, installation, findings),
  ]),
)

async function runOne(
  hostility: Hostility,
  prefix: string,
  seed: number,
  installation: Installation,
  findings: Findings,
) {
  const { character, rules, declares, leaves } = hostility
  for (const name of names) await installation.publish(name, await declaring(name, declares))
  await delay(newestMs)
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
