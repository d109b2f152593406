import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from './config.ts'

let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-config-'))
  file = join(folder, 'settings.env')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a setting in the environment', () => {
  it('wins over the file', async () => {
    await writeFile(file, 'KAFKA_SASL_USERNAME=of-the-file\nPORT=1\n')
    expect(loadConfig({ CONFIG_FILE: file, PORT: '0' })).toMatchObject({ PORT: 0, KAFKA_SASL_USERNAME: 'of-the-file' })
  })

  it('is as unset when it is empty, as Compose passes on what nobody set: the file says what holds, else the default', async () => {
    await writeFile(file, 'KAFKA_SASL_USERNAME=of-the-file\nLOG_LEVEL=\n')
    const empty = { KAFKA_SASL_USERNAME: '', LOG_LEVEL: '', ADMIN_KEY: '' }
    const config = loadConfig({ CONFIG_FILE: file, ...empty })
    expect(config).toMatchObject({ KAFKA_SASL_USERNAME: 'of-the-file', LOG_LEVEL: 'info' })
    expect(config.ADMIN_KEY).toBeUndefined()
  })
})
