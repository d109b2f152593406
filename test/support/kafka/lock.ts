/*
 * Makes jars.json anew, for another version of Kafka: write a pom.xml with the runtime dependencies
 * org.apache.kafka:kafka_2.13, org.apache.kafka:kafka-tools (both of that version) and org.slf4j:slf4j-simple:1.7.36, then
 *
 *   mvn dependency:copy-dependencies -DincludeScope=runtime -Dmdep.useRepositoryLayout=true -DoutputDirectory=lib
 *   node test/support/kafka/lock.ts lib
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * What only Kafka Connect needs (kafka-tools brings it for one command about its plugins), what commons-validator needs
 * for classes that Kafka does not use, and Scala's compiler-time reflection: half of the jars, a third of the bytes.
 */
const unused = [
  /^(connect-|jetty-|jersey-|hk2-|osgi-resource|aopalliance|javassist|classgraph|swagger|maven-artifact|plexus-)/,
  /^(jakarta\.(?!servlet)|jaxb-|javax\.activation|activation$|jackson-(jakarta|module)-|commons-lang3)/,
  /^(commons-(beanutils|digester|collections)|scala-reflect)/,
]

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: node test/support/kafka/lock.ts FOLDER (in repository layout)')
const jars: Record<string, string> = {}
let kafka = ''
for (const path of globSync('**/*.jar', { cwd: folder }).sort()) {
  const parts = dirname(path).split('/')
  const [artifact, version] = parts.slice(-2) as [string, string]
  if (artifact === 'kafka-clients') kafka = version
  if (unused.some((name) => name.test(artifact))) continue
  const bytes = readFileSync(join(folder, path))
  jars[`${parts.slice(0, -2).join('.')}:${artifact}:${version}`] = createHash('sha256').update(bytes).digest('hex')
}
if (kafka === '') throw new Error(`there is no Kafka in ${folder}`)
writeFileSync(new URL('jars.json', import.meta.url), `${JSON.stringify({ kafka, jars }, null, 2)}\n`)
console.log(`Kafka ${kafka}: ${Object.keys(jars).length} jars`)
