import type { Placed } from './check-flow.ts'
import { checkHeaders } from './check-headers.ts'
import type { Path, Problems } from './check-problems.ts'
import { checkPositive, checkRetry } from './check-times.ts'
import type { Participant, ParticipantRequest, SagaDefinition } from './definition.ts'
import { fixedPart } from './expression-template.ts'
import { forwardRetry, undoRetry } from './retry.ts'

/** Can the participants be reached as they are described, and each request be sent? */
export function checkRequests(definition: SagaDefinition, placed: readonly Placed[], problems: Problems): void {
  const participants = definition.participants ?? {}
  for (const [name, participant] of Object.entries(participants)) {
    checkParticipant(participant, ['participants', name], problems)
  }
  for (const { step, path } of placed) {
    if (!('call' in step)) continue
    checkRequest(step.call, [...path, 'call'], participants, problems)
    checkPositive(step.timeout, [...path, 'timeout'], problems)
    checkRetry(step.retry, forwardRetry, [...path, 'retry'], problems)
    if (!step.compensate) continue
    checkRequest(step.compensate, [...path, 'compensate'], participants, problems)
    checkPositive(step.compensate.timeout, [...path, 'compensate', 'timeout'], problems)
    checkRetry(step.compensate.retry, undoRetry, [...path, 'compensate', 'retry'], problems)
  }
}

function checkParticipant(
  { url, headers, timeout, slowAfter, keyWindow, lookup }: Participant,
  path: Path,
  problems: Problems,
): void {
  const why = whyNoBase(url)
  if (why !== undefined) problems.add([...path, 'url'], why)
  checkHeaders(headers, [...path, 'headers'], problems)
  checkPositive(timeout, [...path, 'timeout'], problems)
  checkPositive(slowAfter, [...path, 'slowAfter'], problems)
  checkPositive(keyWindow, [...path, 'keyWindow'], problems)
  if (lookup) checkPath(lookup.path, [...path, 'lookup', 'path'], problems)
}

/** Fixed in the definition: a scheme or host from an expression would let input choose whom we call. */
function whyNoBase(text: string): string | undefined {
  if (text.includes('${')) return 'the URL of a participant is fixed; expressions belong in the path of a request'
  const url = URL.parse(text)
  if (url === null || !/^https?:\/\/[^/]/i.test(text)) return 'an absolute http or https URL is expected'
  if (url.username !== '' || url.password !== '') return 'no user or password in the URL; send them in a header'
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) return 'no ? or # in the URL: request paths follow it'
  return /[\s\\]/.test(text) ? 'no spaces or backslashes in the URL' : undefined
}

function checkRequest(
  { participant, method, path: to, headers, body }: ParticipantRequest,
  path: Path,
  participants: Readonly<Record<string, Participant>>,
  problems: Problems,
): void {
  if (!Object.hasOwn(participants, participant)) {
    const known = Object.keys(participants).join(', ') || 'none'
    problems.add([...path, 'participant'], `there is no participant ${participant}; known are: ${known}`)
  }
  if (method === 'GET' && body !== undefined) problems.add([...path, 'body'], 'a GET has no body')
  checkPath(to, [...path, 'path'], problems)
  checkHeaders(headers, [...path, 'headers'], problems)
}

function checkPath(text: string, path: Path, problems: Problems): void {
  if (!text.startsWith('/')) problems.add(path, 'a path begins with /; it follows the URL of the participant')
  const fixed = fixedPartOf(text)
  if (/[\s#\\]/.test(fixed)) problems.add(path, 'no spaces, # or backslashes in a path; percent-encode them')
  else if (/\/\.\.?(\/|\?|$)/.test(fixed)) problems.add(path, 'no . or .. as a segment of a path')
}

function fixedPartOf(template: string): string {
  try {
    return fixedPart(template)
  } catch {
    return '' // The check of expressions says why.
  }
}
