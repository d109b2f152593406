import type { Plant } from '../planted.ts'

const instance = 'modules/sagas/app/instance.ts'

/** Bugs of sagas that the product must not have, as edits of its own text. */
export const sagaPlants = {
  // An undo that was sent counts as done, whatever comes back.
  'skip-undo': {
    edits: [
      {
        file: 'modules/sagas/domain/settle.ts',
        find: "if (verdict.is === 'done') return turn.add({ e: 'undone'",
        replace: "if (verdict.is !== 'refused') return turn.add({ e: 'undone'",
      },
    ],
    run: ['sagas', 'hostile', '--only', 'cannot undo for a while'],
    finding: /"compensated and not undone"/,
  },
  'commit-before-intent': {
    edits: [
      {
        file: instance,
        find: 'if (!span) return await this.engine.commit(transition)',
        replace: 'perform(this, turn.acts)\n    if (!span) return await this.engine.commit(transition)',
      },
      {
        file: instance,
        find: 'this.engine.observe(this, turn)\n    perform(this, turn.acts)',
        replace: 'this.engine.observe(this, turn)',
      },
    ],
    run: ['sagas', 'matrix', '--seeds', '1', '--from', '290'],
    finding: /called before its intent was durable|"a call for a saga that does not exist"/,
  },
  /*
   * All three at once: when another worker has the saga, its fencing number and its owner are others, and soon the count of its
   * transitions, so that each refuses what the two others would let pass. Alone they are tried in commit-fence.test.ts.
   */
  'no-fence': {
    edits: [
      {
        file: 'modules/sagas/adapters/commit-statement.ts',
        find: 's.fence = n.fence AND s.seq = n.seq\n    AND s.owner IS NOT DISTINCT FROM $1::integer',
        replace: '$1::integer > 0',
      },
    ],
    run: ['sagas', 'zombies', '--only', 'cut off at a later commit'],
    finding: /"a stale write was accepted"/,
  },
  // Participants are told that they have a minute more than the engine waits.
  'no-deadline': {
    edits: [
      {
        file: 'modules/sagas/adapters/participants/request-headers.ts',
        find: '`${request.timeoutMs}ms`',
        replace: '`${request.timeoutMs + 60_000}ms`',
      },
    ],
    run: ['sagas', 'hostile', '--only', 'is late, keeps to timeouts, forgets what runs, can be asked'],
    finding: /"an effect took place twice"/,
  },
  // Each attempt is another request to the participant.
  'unstable-key': {
    edits: [
      {
        file: 'modules/sagas/domain/request.ts',
        find: "generation > 1 ? `.${generation}` : ''",
        replace: "generation > 0 ? `.${generation}.${(undo ? now.undo : now)?.attempts}` : ''",
      },
    ],
    run: ['sagas', 'hostile', '--only', 'hangs, answers and resets'],
    finding: /"an effect took place twice"/,
  },
  // Timers go by the wall clock of the worker.
  'wall-clock': {
    edits: [
      {
        file: 'modules/sagas/app/lease.ts',
        find: 'return this.#clock.monotonic() + this.#offset',
        replace: 'return Date.now()',
      },
    ],
    run: ['sagas', 'clocks', '--only', 'of the workers'],
    finding: /"compensated without a reason"|"never ended"|"needs attention"/,
  },
  // A lock that is held is handed over to whoever asks for it next.
  'lock-handed-over': {
    edits: [
      {
        file: 'modules/sagas/adapters/locks.ts',
        find: 'DO UPDATE SET step = locks.step WHERE locks.saga_id = excluded.saga_id RETURNING fence',
        replace:
          "DO UPDATE SET saga_id = excluded.saga_id, step = excluded.step, fence = nextval('fences') RETURNING fence",
      },
    ],
    run: ['sagas', 'recovery', '--only', 'one lock for all'],
    finding: /"locked sections overlapped"/,
  },
  // Whoever asks for a lock that is held is told that it has it, under the number of the one that has it.
  'lock-held-twice': {
    edits: [
      {
        file: 'modules/sagas/adapters/locks.ts',
        find: 'DO UPDATE SET step = locks.step WHERE locks.saga_id = excluded.saga_id RETURNING fence',
        replace: 'DO UPDATE SET step = locks.step RETURNING fence',
      },
    ],
    run: ['sagas', 'recovery', '--only', 'one lock for all'],
    finding: /"locked sections overlapped"/,
  },
  // An emitted event is removed from the outbox for good before it is appended.
  'outbox-first': {
    edits: [
      {
        file: 'modules/sagas/app/relay-outbox.ts',
        find: "if (rows.length === 0) return 'nothing'",
        replace: "if (rows.length === 0) return 'nothing'\n      await removeFromOutbox(postgres as never, rows)",
      },
    ],
    run: ['sagas', 'events', '--only', 'emitted, workers killed'],
    finding: /"an emitted event is missing"/,
  },
} as const satisfies Record<string, Plant>
