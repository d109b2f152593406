import { describe, expect, it } from 'vitest'
import { parseClickHouseUrls } from './urls.ts'

const three = {
  origins: ['http://a:8123', 'http://b:8123', 'http://c:8124'],
  username: 'u',
  password: 'p,@/',
  database: 'd',
}

describe('parseClickHouseUrls', () => {
  it.each([
    ['http://a:8123', { origins: ['http://a:8123'], username: 'default', password: '', database: 'splitstream' }],
    ['https://u:p%40@a/my%20db', { origins: ['https://a'], username: 'u', password: 'p@', database: 'my db' }],
    ['http://u:p%2C%40%2F@a:8123,b:8123,c:8124/d', three],
    ['http://u:p%2C%40%2F@a:8123/d, http://u:p%2C%40%2F@b:8123/d,http://u:p%2C%40%2F@c:8124/d', three],
    [
      'http://[::1]:8123,[::2]:8123',
      {
        origins: ['http://[::1]:8123', 'http://[::2]:8123'],
        username: 'default',
        password: '',
        database: 'splitstream',
      },
    ],
  ])('reads %s', (text, expected) => {
    expect(parseClickHouseUrls(text)).toEqual(expected)
  })

  it.each([
    ['', 'nothing'],
    ['clickhouse://a:9000', 'another scheme'],
    ['http://a:8123?user=u', 'parameters'],
    ['http://a:8123/d/e', 'two names in the path'],
    ['http://a:8123,a:8123', 'a host twice'],
    ['http://u:p@a:8123,http://u:q@b:8123', 'two passwords'],
    ['http://a:8123/d,http://b:8123/e', 'two databases'],
    ['http://a:8123,https://b:8443', 'two schemes'],
    ['http://a:8123/d,b:8123', 'a path in the middle'],
    ['http://a:8123,', 'an empty host'],
    ['http://u:p@a:8123,v:q@b:8123', 'a second name'],
    ['http://u:%ZZ@a:8123', 'a broken escape'],
  ])('refuses %s: %s', (text) => {
    expect(parseClickHouseUrls(text)).toBeUndefined()
  })
})
