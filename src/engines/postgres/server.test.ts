import { expect, it } from 'vitest'
import { isOfStatement } from './server.ts'

it('lines about statements, which can quote values, are told from those about the server', () => {
  for (const line of [
    'ERROR:  invalid input syntax for type uuid: "value"',
    'DETAIL:  Key (key)=(value) already exists.',
    '\tthe rest of a message with a line break in it',
  ]) {
    expect(isOfStatement(line)).toBe(true)
  }
  for (const line of [
    'LOG:  database system is ready to accept connections',
    'FATAL:  the database system is starting up',
    'WARNING:  database "postgres" must be vacuumed within 10 transactions',
    'PANIC:  could not write to file',
  ]) {
    expect(isOfStatement(line)).toBe(false)
  }
})
