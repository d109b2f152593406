/*
 * Loaded into a worker before anything else (node --import), in tests only: its wall clock is off by as many milliseconds as
 * the file CLOCK_SHIFT_FILE says, which may change at any time. The monotonic clock stays, as with a real step.
 */
import { readFileSync } from 'node:fs'

const file = process.env.CLOCK_SHIFT_FILE
const real = Date.now.bind(Date)
let shift = 0

function read(): void {
  try {
    shift = Number(readFileSync(file ?? '', 'utf8')) || 0
  } catch {
    shift = 0
  }
}

class ShiftedDate extends Date {
  constructor(...values: number[]) {
    if (values.length === 0) super(real() + shift)
    else super(...(values as [number]))
  }

  static override now(): number {
    return real() + shift
  }
}

read()
setInterval(read, 20).unref()
globalThis.Date = ShiftedDate as DateConstructor
