import { describe, expect, it } from 'vitest'
import { type Config, ConfigError, loadConfig, settings } from './config.ts'
import { LiveSettings, liveSettings } from './live-settings.ts'

const reading = (env: Record<string, string>) => new LiveSettings(() => loadConfig(env, '/nonexistent'))

describe('settings that are read again', () => {
  it('have their new values, and say which have to wait for a restart', () => {
    const env: Record<string, string> = { LOG_LEVEL: 'info', PORT: '8080' }
    const live = reading(env)
    const { config } = live
    Object.assign(env, { LOG_LEVEL: 'debug', PORT: '9090', QUOTA_KEY_REQUESTS: '5' })
    expect(live.reload()).toEqual({ changed: ['LOG_LEVEL', 'QUOTA_KEY_REQUESTS'], needRestart: ['PORT'] })
    expect(config).toMatchObject({ LOG_LEVEL: 'debug', QUOTA_KEY_REQUESTS: 5, PORT: 8080 })
  })

  it('say so until they are as at the start again', () => {
    const env: Record<string, string> = { PORT: '8080' }
    const live = reading(env)
    env.PORT = '9090'
    live.reload()
    expect(live.reload().needRestart).toEqual(['PORT'])
    env.PORT = '8080'
    expect(live.reload()).toEqual({ changed: [], needRestart: [] })
  })

  it('are unset when they are not given any more', () => {
    const env: Record<string, string> = { QUOTA_KEY_REQUESTS: '5', BACKUP_DIR: '/backups' }
    const live = reading(env)
    for (const name of Object.keys(env)) delete env[name]
    expect(live.reload()).toEqual({ changed: ['QUOTA_KEY_REQUESTS'], needRestart: ['BACKUP_DIR'] })
    expect(live.config.QUOTA_KEY_REQUESTS).toBeUndefined()
  })

  it('stay as they are when one is not valid', () => {
    const env: Record<string, string> = { LOG_LEVEL: 'info' }
    const live = reading(env)
    Object.assign(env, { LOG_LEVEL: 'debug', PORT: 'seventy' })
    expect(() => live.reload()).toThrow(ConfigError)
    expect(live.config.LOG_LEVEL).toBe('info')
  })

  it('are told to whoever keeps a copy, only when a live one changed', () => {
    const env: Record<string, string> = {}
    const live = reading(env)
    const told: Config['LOG_LEVEL'][] = []
    live.onChange(({ LOG_LEVEL }) => told.push(LOG_LEVEL))
    env.PORT = '9090'
    live.reload()
    env.LOG_LEVEL = 'warn'
    live.reload()
    live.reload()
    expect(told).toEqual(['warn'])
  })

  it('are settings that there are, none of them parsed into an object', () => {
    const { config } = reading({})
    for (const name of liveSettings) {
      expect(name in settings.shape).toBe(true)
      expect(typeof config[name]).not.toBe('object')
    }
  })
})
