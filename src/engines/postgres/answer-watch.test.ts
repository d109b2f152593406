import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AnswerWatch } from './answer-watch.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a watch over answers', () => {
  it('gives up those that do not come in time, and no others', () => {
    const watch = new AnswerWatch(5_000)
    const ended: string[] = []
    const add = (name: string) => watch.add(() => ended.push(name))
    const answered = add('answered')
    add('early')
    vi.advanceTimersByTime(3_000)
    add('late')
    watch.remove(answered)
    vi.advanceTimersByTime(1_900)
    expect(ended).toEqual([])
    vi.advanceTimersByTime(1_100)
    expect(ended).toEqual(['early'])
    vi.advanceTimersByTime(3_000)
    expect(ended).toEqual(['early', 'late'])
  })

  it('has no timer while nothing is waited for', () => {
    const watch = new AnswerWatch(5_000)
    watch.remove(watch.add(() => undefined))
    vi.advanceTimersByTime(1_000)
    expect(vi.getTimerCount()).toBe(0)
    watch.add(() => undefined)
    expect(vi.getTimerCount()).toBe(1)
  })
})
