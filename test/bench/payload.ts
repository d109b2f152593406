/** The events of one phase: the same `tag` and `fromMs` give the same bytes in every process. */
export interface Series {
  /** Makes the ids of phases differ. */
  readonly tag: string
  /** Time of event 0, ms since the Unix epoch. */
  readonly fromMs: number
  /**
   * By how much each later event is younger, µs; 1 when not given. With more than it takes to send one, events of the present would have
   * times ahead of their arrival, which costs the server more than clients with a right clock do.
   */
  readonly everyMicros?: number
}

const countries = ['AT', 'BR', 'CA', 'DE', 'FR', 'IN', 'JP', 'US']
const types = ['order.placed', 'order.paid', 'page.viewed', 'cart.changed']

/** Event `i` as JSON without a newline, about 200 bytes, ids and times distinct. */
export function eventText({ tag, fromMs, everyMicros = 1 }: Series, i: number): string {
  const r = scramble(i)
  const micros = Math.floor(i * everyMicros)
  const ms = new Date(fromMs + Math.floor(micros / 1_000)).toISOString().slice(0, -1)
  const id = `${tag}${i.toString(36).padStart(7, '0')}`
  return (
    `{"specversion":"1.0","id":"${id}","source":"/shop/${r & 15}","type":"${types[(r >>> 4) & 3]}",` +
    `"time":"${ms}${String(micros % 1_000).padStart(3, '0')}Z","subject":"user-${r % 50_000}",` +
    `"data":{"amount":${(r % 100_000) / 100},"country":"${countries[(r >>> 6) & 7]}","items":${(r >>> 9) & 7}}}`
  )
}

/** Events `first … first + count - 1`, one a line. */
export function batchBody(series: Series, first: number, count: number): Buffer {
  let text = ''
  for (let i = first; i < first + count; i++) text += `${eventText(series, i)}\n`
  return Buffer.from(text, 'latin1')
}

/** A number of 32 bits that looks random and depends on `i` only. */
function scramble(i: number): number {
  let h = Math.imul(i + 1, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
  return (h ^ (h >>> 13)) >>> 0
}
