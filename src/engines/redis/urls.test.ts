import { expect, it } from 'vitest'
import { loadConfig } from '../../config.ts'
import { hostOf, parseRedisUrls } from './urls.ts'

it.each([
  'redis://a',
  'rediss://a:6380/3',
  'redis://user:p%40ss@a:1, redis://:word@b , rediss://c',
  'redis://a,redis://b,redis://c,redis://d,redis://[::1]:7000',
])('takes %s', (text) => expect(parseRedisUrls(text)).toEqual(text.split(',').map((url) => url.trim())))

it.each([
  '',
  'a:6379',
  'http://a',
  'redis://',
  'redis://a,redis://b', // no majority without both
  'redis://a,redis://b,redis://c,redis://d',
  'redis://a,redis://b,redis://x@a:6379', // one of them twice
  'redis://a,redis://b,',
  'redis://a/zero',
  'redis://a?enableOfflineQueue=true', // the client would obey
  'redis://a#1',
  'redis://a:65536',
])('refuses %s', (text) => expect(parseRedisUrls(text)).toBeUndefined())

it('shows a node without its password', () => {
  expect(hostOf('rediss://user:word@[::1]/2')).toBe('[::1]:6379')
  const start = () => loadConfig({ REDIS_URLS: 'redis://:secret@a,redis://b' }, '/nowhere/.env')
  expect(start).toThrow(/REDIS_URLS: found a value that is not shown; legal is 1, 3 or 5/)
  expect(start).not.toThrow(/secret/)
})
