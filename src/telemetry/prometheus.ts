import type { Labels } from '@splitstream/kernel'
import type { Measured } from './measured.ts'

/** The Prometheus text format, version 0.0.4, with names as OpenTelemetry's Prometheus compatibility derives them. */
export const prometheusText = (all: readonly Measured[]): string => all.map(textOf).join('\n')

function textOf(measured: Measured): string {
  const { help, kind } = measured
  const name = nameOf(measured)
  let text = `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n`
  if (measured.kind !== 'histogram') {
    for (const { labels, value } of measured.points) text += `${name}${braced(labelsOf(labels))} ${value}\n`
    return text
  }
  for (const { labels, value } of measured.points) {
    const own = labelsOf(labels)
    let count = 0
    for (const [i, n] of value.counts.entries()) {
      count += n
      const le = `le="${measured.bounds[i] ?? '+Inf'}"`
      text += `${name}_bucket{${own === '' ? le : `${own},${le}`}} ${count}\n`
    }
    text += `${name}_sum${braced(own)} ${value.sum}\n${name}_count${braced(own)} ${count}\n`
  }
  return text
}

const suffixes: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes' }

/** `http.server.request.duration` in `s` → `http_server_request_duration_seconds` */
function nameOf({ name, unit, kind }: Measured): string {
  const plain = flat(name)
  const suffix = unit === '1' && kind === 'gauge' ? 'ratio' : suffixes[unit]
  const base = suffix === undefined || plain.endsWith(`_${suffix}`) ? plain : `${plain}_${suffix}`
  return kind !== 'counter' || base.endsWith('_total') ? base : `${base}_total`
}

const flat = (name: string): string => name.replaceAll(/[^A-Za-z0-9_]/g, '_')

/** A label without a value is no label. */
const labelsOf = (labels: Labels): string =>
  Object.entries(labels)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${flat(name)}="${quoted(String(value))}"`)
    .join(',')

const quoted = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`)
