/** Texts of a file that anybody may have made: bounded, and never more than text. */

/** Text that may have been cut. */
export interface SifText {
  readonly text: string
  /** Of the whole text, in UTF-8. */
  readonly bytes: number
  readonly truncated: boolean
}

/** Texts by name, without a prototype, so that `__proto__` is a name like any other. */
export type SifTexts = Readonly<Record<string, string>>

/** Bytes of one text that are kept: a definition file, a script. */
const maxTextBytes = 64 * 1024
const maxNames = 1000
const maxNameLength = 256
/** Characters of one text of many. */
const maxValueLength = 16_384
/** Characters of all texts of one list. */
const maxTotalLength = 128 * 1024

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Bytes as text; what is no UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array, size: number = bytes.length): SifText {
  const kept = bytes.subarray(0, maxTextBytes)
  // a cut may go through a character
  const text = decoder.decode(kept, { stream: kept.length < size })
  decoder.decode()
  return { text, bytes: size, truncated: kept.length < size }
}

export function textOf(value: unknown): SifText | null {
  if (typeof value !== 'string' || value === '') return null
  return decodeText(encoder.encode(value))
}

export function parseJson(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    return undefined
  }
}

/** The members of an object; none for everything else. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/**
 * An object of texts: members of other kinds are left out, and so is what passes the bounds. null
 * where `value` is no object.
 */
export function textsOf(value: unknown): { readonly texts: SifTexts; readonly cut: boolean } | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const texts = Object.create(null) as Record<string, string>
  let [count, left, cut] = [0, maxTotalLength, false]
  for (const name in value) {
    if (!Object.hasOwn(value, name)) continue
    const text = (value as Record<string, unknown>)[name]
    if (count === maxNames) return { texts, cut: true }
    if (typeof text !== 'string') continue
    const kept = text.slice(0, maxValueLength)
    const isTooLong = name.length > maxNameLength || name.length + kept.length > left
    cut ||= isTooLong || kept.length < text.length
    if (isTooLong) continue
    count += 1
    left -= name.length + kept.length
    texts[name] = kept
  }
  return { texts, cut }
}
