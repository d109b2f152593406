/** C0, DEL, C1, and the bidirectional marks, overrides and isolates: invisible in a name, and used to disguise it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const hidden = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

export const hasHidden = (text: string): boolean => hidden.test(text)

/** The decoded JSON string between two quotes (inclusive). */
export function stringAt(bytes: Uint8Array, start: number, end: number): string {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')) as string
}
