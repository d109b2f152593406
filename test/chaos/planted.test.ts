import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { plants } from './planted.ts'

describe.each(Object.entries(plants))('the bug %s', (_, { edits }) => {
  it.each(edits)('has its place in $file', async ({ file, find }) => {
    const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
    expect(text.split(find)).toHaveLength(2)
  })
})
