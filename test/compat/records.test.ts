import { describe, expect, it } from 'vitest'
import { type Codes, codeBreaks, readCodes } from './codes.ts'
import { readPromised } from './contracts.ts'
import { type Records, readRecords, recordBreaks } from './records.ts'

describe('the codes of errors', () => {
  const promised = readPromised<Codes>('codes.json')
  const { CONFLICT, OVERLOADED, ...others } = readCodes()

  it('are as promised', () => expect(codeBreaks(promised, readCodes())).toEqual([]))

  it.each<[string, Codes, string]>([
    ['gone', { ...others, OVERLOADED: OVERLOADED! }, 'CONFLICT: the code is gone'],
    [
      'of another status',
      { ...readCodes(), CONFLICT: { ...CONFLICT!, status: 412 } },
      'answered with 409, and is with 412',
    ],
    [
      'not to be sent again',
      { ...readCodes(), OVERLOADED: { ...OVERLOADED!, retryable: false } },
      'OVERLOADED: callers',
    ],
  ])('one that is %s breaks', (_, now, reason) => {
    expect(codeBreaks(promised, now).join('\n')).toContain(reason)
  })

  it('a new one does not', () => {
    expect(codeBreaks(promised, { ...readCodes(), TEAPOT: { status: 418, retryable: false } })).toEqual([])
  })
})

describe('the records of the log', () => {
  const promised = readPromised<Records>('records.json')

  /** With the first sample of a form changed. */
  function changed(records: Records, form: string, change: object): Records {
    const [first, ...rest] = records.forms[form]!
    return { ...records, forms: { ...records.forms, [form]: [{ ...first!, ...change }, ...rest] } }
  }

  it('are written and read as promised', async () => expect(recordBreaks(promised, await readRecords())).toEqual([]))

  it.each(['batch', 'cloudevents'])('%s: one that is written otherwise breaks', (form) => {
    const { headers, value } = promised.forms[form]![0]!
    const [name, ...names] = Object.keys(headers)
    const fewer = Object.fromEntries(names.map((one) => [one, headers[one]!]))
    const other = Buffer.from(value, 'base64').fill(1, 40, 44).toString('base64')
    expect(recordBreaks(promised, changed(promised, form, { headers: fewer }))).toEqual([
      `${form} 0: the header ${name} is written otherwise`,
    ])
    expect(recordBreaks(promised, changed(promised, form, { value: other }))).toEqual([
      `${form} 0: the value is written otherwise`,
    ])
    const more = changed(promised, form, { headers: { ...headers, 'splitstream-new': '' } })
    expect(recordBreaks(promised, more)).toEqual([])
  })

  it.each(['batch', 'cloudevents'])('%s: one of before that is not read breaks, whatever the version', (form) => {
    const { rows } = promised.forms[form]![0]!
    const otherwise = changed(promised, form, { rows: [{ ...rows[0], kind: 9 }, ...rows.slice(1)] })
    const unread = changed(promised, form, { value: Buffer.from('no record').toString('base64') })
    const next = { ...promised, version: promised.version + 1, forms: {} }
    expect(recordBreaks(otherwise, next)).toEqual([
      `${form} 0: a record that was written before is read as something else`,
    ])
    expect(recordBreaks(unread, next).join()).toContain('a record that was written before is not read')
  })
})
