import { type Clock, type Lifecycle, type Logger, silentLogger, systemClock } from '@splitstream/kernel'
import { type Config, ConfigError } from './config.ts'
import { BrokerAccess } from './transports/kafka/access.ts'
import type { Sasl } from './transports/kafka/sasl.ts'
import { type KafkaTlsFiles, KafkaTlsRotation } from './transports/kafka/tls-files.ts'

/**
 * @param brokers that are called; none when the log is elsewhere
 * @throws ConfigError naming the settings of TLS and SASL to Kafka that do not go together
 */
export function checkKafkaAccess(config: Config, brokers: readonly string[]): void {
  checkTls(config)
  checkSasl(config, brokers)
}

/**
 * How the brokers are reached, by the settings; its files are looked at again for as long as the lifecycle's parts run.
 * @throws AppError CONFIG_INVALID naming the setting whose file cannot be used
 */
export async function openKafkaAccess(
  config: Config,
  clock: Clock,
  logger: Logger,
  lifecycle: Lifecycle,
): Promise<BrokerAccess> {
  const tls = await readTls(config, clock, logger)
  if (tls) await lifecycle.start(tls)
  return accessOf(config, tls, clock, logger)
}

/** The same for a look at the brokers: the files as they are now. */
export async function kafkaAccess(config: Config): Promise<BrokerAccess> {
  const tls = await readTls(config, systemClock, silentLogger)
  return accessOf(config, tls, systemClock, silentLogger)
}

function accessOf(config: Config, tls: KafkaTlsRotation | undefined, clock: Clock, logger: Logger): BrokerAccess {
  const { KAFKA_SASL_MECHANISM: mechanism } = config
  const sasl: Sasl | undefined = mechanism && {
    mechanism,
    // Read again at SIGHUP.
    get username() {
      return config.KAFKA_SASL_USERNAME ?? ''
    },
    get password() {
      return config.KAFKA_SASL_PASSWORD ?? ''
    },
  }
  return new BrokerAccess({ ...(tls && { tls }), ...(sasl && { sasl }), clock, logger })
}

async function readTls(config: Config, clock: Clock, logger: Logger): Promise<KafkaTlsRotation | undefined> {
  const { KAFKA_TLS: tls, KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: cert, KAFKA_TLS_KEY: key } = config
  if (tls === 'off') return undefined
  const files: KafkaTlsFiles = {
    ...(ca !== undefined && { ca: { setting: 'KAFKA_TLS_CA', path: ca } }),
    ...(cert !== undefined &&
      key !== undefined && {
        own: { cert: { setting: 'KAFKA_TLS_CERT', path: cert }, key: { setting: 'KAFKA_TLS_KEY', path: key } },
      }),
  }
  return KafkaTlsRotation.read(files, { clock, logger })
}

function checkTls({ KAFKA_TLS: tls, KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: cert, KAFKA_TLS_KEY: key }: Config): void {
  if (tls === 'off') {
    const files = { KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: cert, KAFKA_TLS_KEY: key }
    const [name] = Object.entries(files).flatMap(([name, value]) => (value === undefined ? [] : [name]))
    if (name !== undefined)
      throw new ConfigError(`${name} is set, and KAFKA_TLS is off: set KAFKA_TLS=on, or unset ${name}`)
  }
  if ((cert === undefined) === (key === undefined)) return
  const [there, missing] =
    cert === undefined ? ['KAFKA_TLS_KEY', 'KAFKA_TLS_CERT'] : ['KAFKA_TLS_CERT', 'KAFKA_TLS_KEY']
  throw new ConfigError(
    `${there} is set, and ${missing} is not: a certificate and its key go together, set ${missing}, too`,
  )
}

function checkSasl(config: Config, brokers: readonly string[]): void {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = config
  const given = { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password }
  for (const [name, value] of Object.entries(given)) {
    if (mechanism === undefined && value !== undefined) {
      throw new ConfigError(
        `${name} is set, and KAFKA_SASL_MECHANISM is not: set it to what the brokers offer, such as scram-sha-512`,
      )
    }
    if (mechanism !== undefined && value === undefined) {
      throw new ConfigError(`KAFKA_SASL_MECHANISM=${mechanism} needs a name and a password: set ${name}`)
    }
  }
  const { KAFKA_TLS: tls, KAFKA_SASL_IN_CLEAR: clear } = config
  if (mechanism !== 'plain' || tls === 'on' || clear === 'allow') return
  const far = brokers.find((broker) => !isLoopback(broker.slice(0, broker.lastIndexOf(':'))))
  if (far === undefined) return
  throw new ConfigError(
    `KAFKA_SASL_MECHANISM=plain would send the password to ${far} in the clear: set KAFKA_TLS=on, or a scram mechanism; ` +
      'where the network is trusted, KAFKA_SASL_IN_CLEAR=allow',
  )
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
