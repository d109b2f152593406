/** Parts that tests put definitions together from, right or wrong. */
export const participants = { p: { url: 'http://p.internal' }, q: { url: 'http://q' } }
export const call = (id: string, more: object = {}, request: object = {}) => ({
  id,
  call: { participant: 'p', path: `/${id}`, ...request },
  ...more,
})
export const undo = (more: object = {}) => ({ compensate: { participant: 'p', path: '/undo', ...more } })
export const saga = (...steps: unknown[]) => ({ participants, steps })
export const wait = (id: string) => ({ id, wait: { for: '1s' } })
export const participant = (more: object) => ({ participants: { p: { url: 'http://p', ...more } }, steps: [wait('a')] })
export const reading = (text: string, id = 'reader') => ({ id, emit: { type: 't', data: text } })
export const choice = (id: string, ...branches: unknown[][]) => ({
  id,
  choice: branches.map((steps) => ({ when: 'input.a', steps })),
})

/** What is wrong, and one problem that must be told, by path and by words of its reason. */
export type Bad = readonly [what: string, body: unknown, path: string, detail: RegExp]
