import type { Edit } from './planted.fixture.ts'

/** A check of the kit that is gone. */
export interface Bug {
  readonly name: string
  readonly edits: readonly Edit[]
  /** Cases of the conformance test that see it. */
  readonly seen: readonly string[]
  /** Whether random stories see it; not when it is outside the barrier. `servers`: only where transactions meet at rows. */
  readonly told: true | false | 'servers'
}

const barrier = (from: string, to: string): Edit => ({ file: 'barrier.ts', from, to })
const handler = (from: string, to: string): Edit => ({ file: 'participant.ts', from, to })

export const bugs: readonly Bug[] = [
  {
    name: 'signatures are not checked',
    edits: [handler('const wrong = keys.length > 0 &&', 'const wrong = keys.length > 99 &&')],
    seen: ['first-call'],
    told: false,
  },
  {
    name: 'answers are not replayed',
    edits: [barrier('if (saved && !anew)', 'if (false)')],
    seen: ['duplicate', 'concurrent-duplicates', 'other-payload'],
    told: true,
  },
  {
    name: 'rows are not held',
    edits: [barrier(' FOR UPDATE SKIP LOCKED', '')],
    seen: ['concurrent-duplicates', 'concurrent-undo'],
    told: 'servers',
  },
  {
    name: 'undos do nothing',
    edits: [barrier("operation === 'undo' && row.state !== 'done'", "operation === 'undo'")],
    seen: ['undo', 'concurrent-undo', 'stale-owner'],
    told: true,
  },
  {
    name: 'undos leave no mark',
    edits: [
      barrier("save(operation === 'do' ? 'done' : 'undone', reply)", "save('done', reply)"),
      barrier('if (saved && !anew)', "if (saved && !anew && operation === 'do')"),
    ],
    seen: ['duplicate-undo'],
    told: true,
  },
  {
    name: 'undos of nothing run',
    edits: [barrier("operation === 'undo' && row.state !== 'done'", 'false')],
    seen: ['empty-undo', 'late-forward', 'refused-forward'],
    told: true,
  },
  {
    name: 'late forward calls run',
    edits: [barrier("operation === 'do' && row.state === 'undone'", 'false')],
    seen: ['late-forward', 'concurrent-undo'],
    told: true,
  },
  {
    name: 'payloads are not compared',
    edits: [barrier('if (row[`${operation}_print`] !== print)', 'if (false)')],
    seen: ['other-payload'],
    told: true,
  },
  {
    name: 'what is refused is not rolled back',
    edits: [barrier("await run(sql, tx, 'ROLLBACK TO SAVEPOINT splitstream')", '')],
    seen: ['refused-forward'],
    told: true,
  },
  {
    name: 'what is refused counts as done',
    edits: [barrier("await save('refused', reply)", "await save('done', reply)")],
    seen: ['refused-forward'],
    told: true,
  },
  {
    name: 'effects have a transaction of their own',
    edits: [
      handler(
        'await handler(tx, { ...call, done, traceparent })',
        'await sql.tx(async (own) => await handler(own, { ...call, done, traceparent }))',
      ),
    ],
    seen: ['crash', 'refused-forward'],
    told: false,
  },
  {
    name: 'tokens are not compared',
    edits: [barrier('call.fence < BigInt(seen)', 'false')],
    seen: ['stale-owner'],
    told: true,
  },
  {
    name: 'newer tokens are not kept',
    edits: [barrier('if (call.fence > BigInt(row.fence))', 'if (false)')],
    seen: ['stale-owner'],
    told: true,
  },
  {
    name: 'refused keys are tried again',
    edits: [barrier('!refused.includes(call.key)', 'true')],
    seen: [],
    told: true,
  },
]
