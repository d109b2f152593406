import { AppError } from '@splitstream/kernel'

/** Where in the request (a JSON path of the input), and what is wrong there. */
export interface Problem {
  readonly path: string
  readonly detail: string
}

/** @throws AppError REQUEST_INVALID always */
export function refuse(member: string, detail: string): never {
  const path = `$.${member}`
  const problems: Problem[] = [{ path, detail }]
  throw new AppError('REQUEST_INVALID', `${path}: ${detail}`, { details: { problems } })
}
